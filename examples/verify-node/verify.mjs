// Verifies Gateward's access tokens. jose does the JWT (signature, type, issuer, audience, times); the rest is the status list,
// which tells that a token was revoked before its time.
import { inflateSync } from 'node:zlib'
import { createRemoteJWKSet, jwtVerify } from 'jose'

const ALGORITHMS = ['ES256'] // as `algorithm` in Gateward's settings
const LARGEST_LIST = 1 << 20

export class Revoked extends Error {}

export async function verifier({ issuer, audience }) {
  const metadata = JSON.parse(await fetched(`${issuer}/.well-known/oauth-authorization-server`))
  if (metadata.issuer !== issuer) throw new Error(`${issuer} calls itself ${metadata.issuer}`)
  const keys = createRemoteJWKSet(new URL(metadata.jwks_uri), { cooldownDuration: 1000 })
  const lists = new Map()

  // Many that need the same list wait for the same answer, and nobody asks again before `ttl` has passed.
  function listOf(uri) {
    const now = Date.now()
    for (const [old, { until }] of lists) if (until <= now) lists.delete(old)
    if (!lists.has(uri)) {
      const entry = { until: Infinity }
      entry.list = fetchList(uri).then(
        ({ list, until }) => {
          entry.until = until
          return list
        },
        (error) => {
          lists.delete(uri)
          throw error
        },
      )
      lists.set(uri, entry)
    }
    return lists.get(uri).list
  }

  async function fetchList(uri) {
    const { payload } = await jwtVerify(await fetched(uri), keys, {
      algorithms: ALGORITHMS,
      typ: 'statuslist+jwt',
      subject: uri,
      requiredClaims: ['exp'],
    })
    const { bits, lst } = payload.status_list
    const bytes = inflateSync(Buffer.from(lst, 'base64url'), { maxOutputLength: LARGEST_LIST })
    const until = Math.min(Date.now() + 1000 * (payload.ttl ?? 0), 1000 * payload.exp)
    return { list: { bits, bytes }, until }
  }

  // The claims of a token; throws when it is not good, or not known to be.
  return async function verify(token) {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ALGORITHMS,
      typ: 'at+jwt',
      issuer,
      audience,
      requiredClaims: ['exp', 'sub'],
    })
    const { idx, uri } = payload.status.status_list
    const { bits, bytes } = await listOf(uri)
    const place = idx * bits
    const status = (bytes[place >> 3] >> (place & 7)) & ((1 << bits) - 1)
    // A place beyond the end of the list is no token's.
    if (!Number.isInteger(idx) || place >> 3 >= bytes.length || status !== 0) throw new Revoked('revoked')
    return payload
  }
}

async function fetched(url) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(5000), redirect: 'error' })
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}`)
  return answer.text()
}
