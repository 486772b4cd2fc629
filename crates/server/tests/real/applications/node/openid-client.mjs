// A web application that signs people in with openid-client.
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import * as client from 'openid-client'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, PORT } = process.env
const own = `http://127.0.0.1:${PORT}`

const config = await client.discovery(
  new URL(ISSUER),
  CLIENT_ID,
  undefined,
  // Named, because the library's own choice is client_secret_post.
  client.ClientSecretBasic(CLIENT_SECRET),
  {
    execute: [
      client.allowInsecureRequests,
      // The library takes TLS to the token endpoint for proof enough of an ID token; there is none here, so signatures are checked.
      client.enableNonRepudiationChecks,
    ],
  },
)

// Each answers with what the page shows, or with the address to go to.
const routes = {
  async '/'(session, address) {
    const state = address.searchParams.get('state')
    if (state !== null && state !== session.leaving) throw new Error('this is not the state of a sign-out from here')
    if (!session.tokens) return { signed_in: false }
    const { sub } = session.claims
    const { name, email } = session.person
    return { signed_in: true, sub, name, email }
  },

  async '/sign-in'(session) {
    const verifier = client.randomPKCECodeVerifier()
    const state = client.randomState()
    const nonce = client.randomNonce()
    session.checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce }
    return client.buildAuthorizationUrl(config, {
      redirect_uri: `${own}/callback`,
      scope: 'openid profile email offline_access',
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    })
  },

  async '/callback'(session, address) {
    const { checks } = session
    delete session.checks
    if (!checks) throw new Error('nobody is signing in here')
    const tokens = await client.authorizationCodeGrant(config, address, checks)
    const claims = tokens.claims()
    // With a code, an ID token says who it is; name and email, that UserInfo does (OpenID Connect Core 5.4).
    const person = await client.fetchUserInfo(config, tokens.access_token, claims.sub)
    Object.assign(session, { tokens, claims, person })
    return new URL('/', own)
  },

  async '/refresh'(session) {
    const before = signedIn(session)
    const after = await client.refreshTokenGrant(config, before.refresh_token)
    // An answer need not repeat what stays as it was.
    session.tokens = { ...before, ...after }
    return {
      refreshed: true,
      sub: after.claims()?.sub,
      new_access_token: after.access_token !== before.access_token,
      new_refresh_token: after.refresh_token !== undefined && after.refresh_token !== before.refresh_token,
    }
  },

  async '/userinfo'(session) {
    return client.fetchUserInfo(config, signedIn(session).access_token, session.claims.sub)
  },

  async '/sign-out'(session) {
    const { id_token } = signedIn(session)
    const state = client.randomState()
    for (const name of ['tokens', 'claims', 'person']) delete session[name]
    session.leaving = state
    return client.buildEndSessionUrl(config, { id_token_hint: id_token, post_logout_redirect_uri: `${own}/`, state })
  },
}

function signedIn({ tokens }) {
  if (!tokens) throw new Error('nobody is signed in')
  return tokens
}

const sessions = new Map()

async function answer(request, response) {
  const address = new URL(request.url, own)
  const route = routes[address.pathname]
  if (!route) return response.writeHead(404).end()

  let id = /(?:^|; )openid-client=([^;]+)/.exec(request.headers.cookie)?.[1]
  if (!sessions.has(id)) {
    id = randomUUID()
    sessions.set(id, {})
    response.setHeader('Set-Cookie', `openid-client=${id}; Path=/; HttpOnly; SameSite=Lax`)
  }
  try {
    const said = await route(sessions.get(id), address)
    if (said instanceof URL) return response.writeHead(303, { Location: said.href }).end()
    show(response, 200, said)
  } catch (error) {
    console.error(error)
    show(response, 500, told(error))
  }
}

// An error of OAuth has a code and a sentence; of others, the one below may know why.
function told(error) {
  if (error.error) return { error: error.error, error_description: error.error_description }
  return { error: error.cause instanceof Error ? `${error}: ${error.cause}` : `${error}` }
}

function show(response, status, said) {
  const text = JSON.stringify(said).replace(/[&<]/g, (character) => `&#${character.charCodeAt()};`)
  response.writeHead(status, { 'Content-Type': 'text/html; charset=utf-8' })
  response.end(`<!doctype html><title>App</title><pre id="said">${text}</pre>`)
}

createServer(answer).listen(Number(PORT), '127.0.0.1')
