// An API with one answer, for those who show an access token that is for it.
import { createServer } from 'node:http'
import { errors } from 'jose'
import { Revoked, verifier } from './verify.mjs'

const verify = await verifier({ issuer: process.env.ISSUER, audience: process.env.AUDIENCE })

const isRefusal = (error) =>
  error instanceof Revoked || (error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout))

async function answer(authorization) {
  const [, token] = /^Bearer +([^ ]+)$/i.exec(authorization ?? '') ?? []
  if (!token) return [401, { 'WWW-Authenticate': 'Bearer' }, { error: 'no token' }]
  try {
    const { sub, scope } = await verify(token)
    return [200, {}, { hello: sub, scope }]
  } catch (error) {
    if (isRefusal(error)) return [401, { 'WWW-Authenticate': 'Bearer error="invalid_token"' }, { error: 'invalid token' }]
    // Gateward cannot be asked: what is not known to be good is not let in.
    console.error(error)
    return [503, { 'Retry-After': '1' }, { error: 'try again' }]
  }
}

const server = createServer(async (request, response) => {
  const [status, headers, body] = await answer(request.headers.authorization)
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
})
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`listening on 127.0.0.1:${server.address().port}`)
})
