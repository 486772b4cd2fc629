// An MCP server behind OAuth and a web application that is its client, both with the SDK of the Model Context Protocol. They share a
// process and an address, and nothing else: the client knows the server's address alone, and finds the rest as any MCP client does.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { discoverAuthorizationServerMetadata, discoverOAuthServerInfo, UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { InvalidTokenError, OAuthError } from '@modelcontextprotocol/sdk/server/auth/errors.js'
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import { getOAuthProtectedResourceMetadataUrl, mcpAuthMetadataRouter } from '@modelcontextprotocol/sdk/server/auth/router.js'
import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'
import { allowInsecureRequests, ClientSecretBasic, Configuration, tokenIntrospection } from 'openid-client'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, PORT, CLIENT_METADATA_URL, TLS_CERT, TLS_KEY, TLS_PORT } = process.env
const own = `http://127.0.0.1:${PORT}`
const RESOURCE = new URL('/mcp', own)
const SCOPE = 'whoami'

const app = createMcpExpressApp()

// ---- The server

const issuer = await discoverAuthorizationServerMetadata(ISSUER)
if (issuer?.issuer !== ISSUER) throw new Error(`${ISSUER} calls itself ${issuer?.issuer}`)

app.use(mcpAuthMetadataRouter({ oauthMetadata: issuer, resourceServerUrl: RESOURCE, scopesSupported: [SCOPE] }))
app.use(
  '/mcp',
  requireBearerAuth({
    // With credentials, the server asks the issuer about each token, which may then be opaque, too.
    verifier: { verifyAccessToken: CLIENT_ID ? introspector() : signatureVerifier() },
    requiredScopes: [SCOPE],
    resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(RESOURCE),
  }),
)
app.post('/mcp', async (request, response) => {
  const server = new McpServer({ name: 'who', version: '1.0.0' })
  server.registerTool('whoami', { description: 'Says who is asking' }, ({ authInfo: { clientId, scopes, extra } }) => ({
    content: [{ type: 'text', text: JSON.stringify({ sub: extra.sub, client_id: clientId, scope: scopes.join(' ') }) }],
  }))
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined })
  response.on('close', () => server.close())
  await server.connect(transport)
  await transport.handleRequest(request, response, request.body)
})
app.all('/mcp', (_, response) => response.status(405).end())

function signatureVerifier() {
  const keys = createRemoteJWKSet(new URL(issuer.jwks_uri))
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, keys, {
        algorithms: ['ES256'], // as `algorithm` in Gateward's settings
        typ: 'at+jwt',
        issuer: ISSUER,
        audience: RESOURCE.href,
        requiredClaims: ['exp', 'sub', 'client_id'],
      })
      return authInfo(token, payload)
    } catch (error) {
      if (error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout)) throw new InvalidTokenError(error.message)
      throw error
    }
  }
}

function introspector() {
  const config = new Configuration(issuer, CLIENT_ID, undefined, ClientSecretBasic(CLIENT_SECRET))
  allowInsecureRequests(config)
  return async (token) => {
    const answer = await tokenIntrospection(config, token, { token_type_hint: 'access_token' })
    if (!answer.active) throw new InvalidTokenError('the token is not active')
    if (![answer.aud].flat().includes(RESOURCE.href)) throw new InvalidTokenError('the token is for another resource')
    return authInfo(token, answer)
  }
}

function authInfo(token, { sub, client_id, scope = '', exp }) {
  return { token, clientId: client_id, scopes: scope.split(' '), expiresAt: exp, extra: { sub } }
}

// ---- The client

const description = {
  client_name: 'Asks who it is',
  redirect_uris: [`${own}/callback`],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
}

// What the SDK keeps for one person.
class Provider {
  redirectUrl = `${own}/callback`
  clientMetadata = description
  clientMetadataUrl = CLIENT_METADATA_URL

  state = () => (this.expectedState = randomUUID())
  clientInformation = () => this.registration
  saveClientInformation = (registration) => void (this.registration = registration)
  tokens = () => this.held
  saveTokens = (tokens) => void (this.held = tokens)
  saveCodeVerifier = (verifier) => void (this.verifier = verifier)
  codeVerifier = () => this.verifier
  redirectToAuthorization = (address) => void (this.authorization = address)

  invalidateCredentials(what) {
    if (what === 'all' || what === 'client') delete this.registration
    if (what === 'all' || what === 'tokens') delete this.held
    if (what === 'all' || what === 'verifier') delete this.verifier
  }

  // As if it had ended: the server refuses it, and the SDK has to refresh.
  spoilAccessToken() {
    if (this.held) this.held.access_token = 'ended'
  }
}

async function callTool(provider, transport = transportOf(provider)) {
  const client = new Client({ name: 'asks-who', version: '1.0.0' })
  await client.connect(transport)
  try {
    const { content, isError } = await client.callTool({ name: 'whoami' })
    if (isError) throw new Error(content[0].text)
    return JSON.parse(content[0].text)
  } finally {
    await client.close()
  }
}

const transportOf = (provider) => new StreamableHTTPClientTransport(RESOURCE, { authProvider: provider })

// Each answers with what the page shows, or with the address to go to.
const routes = {
  async '/'({ provider }) {
    return { signed_in: provider.held !== undefined }
  },

  async '/sign-in'(session) {
    // Kept, because it is to finish what the server's answer made it begin.
    session.transport = transportOf(session.provider)
    try {
      await callTool(session.provider, session.transport)
      return new URL('/call', own)
    } catch (error) {
      if (error instanceof UnauthorizedError) return session.provider.authorization
      throw error
    }
  },

  // Checking state and iss is not the SDK's business.
  async '/callback'({ provider, transport }, { searchParams: said }) {
    const { expectedState } = provider
    delete provider.expectedState
    if (!expectedState || said.get('state') !== expectedState) throw new Error('this is not the state of a sign-in from here')
    const { authorizationServerMetadata: found } = await discoverOAuthServerInfo(RESOURCE)
    if (said.get('iss') !== found.issuer) throw new Error('another issuer answers')
    if (said.has('error')) return { error: said.get('error'), error_description: said.get('error_description') }
    await transport.finishAuth(said.get('code'))
    return new URL('/call', own)
  },

  async '/call'({ provider }) {
    return { signed_in: true, ...(await callTool(provider)) }
  },

  async '/refresh'({ provider }) {
    const before = provider.held?.access_token
    provider.spoilAccessToken()
    const { sub } = await callTool(provider)
    return { refreshed: true, new_access_token: provider.held.access_token !== before, sub }
  },

  // The SDK finds the endpoint, but has no call for it.
  async '/revoke'({ provider }) {
    const { authorizationServerMetadata: found } = await discoverOAuthServerInfo(RESOURCE)
    const answer = await fetch(found.revocation_endpoint, {
      method: 'POST',
      body: new URLSearchParams({
        token: provider.held.refresh_token,
        token_type_hint: 'refresh_token',
        client_id: provider.registration.client_id,
      }),
    })
    if (!answer.ok) throw new Error(`revocation: ${answer.status} ${await answer.text()}`)
    // By its signature alone an access token counts until it ends, so the client forgets it; a server that asks refuses it.
    if (!CLIENT_ID) provider.spoilAccessToken()
    return { revoked: true }
  },
}

const sessions = new Map()

app.get(Object.keys(routes), async (request, response) => {
  let id = /(?:^|; )mcp=([^;]+)/.exec(request.headers.cookie)?.[1]
  if (!sessions.has(id)) {
    id = randomUUID()
    sessions.set(id, { provider: new Provider() })
    response.cookie('mcp', id, { httpOnly: true, sameSite: 'lax' })
  }
  try {
    const said = await routes[request.path](sessions.get(id), new URL(request.url, own))
    if (said instanceof URL) return response.redirect(303, said.href)
    show(response, 200, said)
  } catch (error) {
    console.error(error)
    show(response, 500, told(error))
  }
})

function told(error) {
  if (error instanceof UnauthorizedError) return { error: 'unauthorized' }
  if (error instanceof OAuthError) return { error: error.errorCode, error_description: error.message }
  return { error: error.cause instanceof Error ? `${error}: ${error.cause}` : `${error}` }
}

function show(response, status, said) {
  const text = JSON.stringify(said).replace(/[&<]/g, (character) => `&#${character.charCodeAt()};`)
  response.status(status).send(`<!doctype html><title>App</title><pre id="said">${text}</pre>`)
}

// ---- What listens

const listening = [new Promise((done) => app.listen(Number(PORT), '127.0.0.1', done))]
if (CLIENT_METADATA_URL) {
  // Instead of registering, the client is named by the address of its description, which has to be https.
  const document = JSON.stringify({ client_id: CLIENT_METADATA_URL, ...description })
  const server = createServer({ cert: readFileSync(TLS_CERT), key: readFileSync(TLS_KEY) }, (request, response) => {
    if (request.url !== new URL(CLIENT_METADATA_URL).pathname) return response.writeHead(404).end()
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(document)
  })
  listening.push(new Promise((done) => server.listen(Number(TLS_PORT), '127.0.0.1', done)))
}
await Promise.all(listening)
