// The library jose, asked by the tests: a question in JSON on each line of standard input, an answer on each line of output.
import { createInterface } from 'node:readline'
import * as jose from 'jose'

const bytes = (text) => new TextEncoder().encode(text)
const text = (bytes) => new TextDecoder('utf-8', { fatal: true }).decode(bytes)
const imported = (key, alg) => jose.importJWK(key, alg, { extractable: true })

const sign = async ({ alg, key, typ, payload }) => ({
  token: await new jose.CompactSign(bytes(payload))
    .setProtectedHeader({ alg, typ, kid: key.kid })
    .sign(await imported(key, alg)),
})

const verify = async ({ alg, key, token }) => {
  const { payload } = await jose.compactVerify(token, await imported(key, alg), { algorithms: [alg] })
  return { payload: text(payload) }
}

const encrypt = async ({ alg, enc, key, cty, payload }) => ({
  token: await new jose.CompactEncrypt(bytes(payload))
    .setProtectedHeader({ alg, enc, cty, kid: key.kid })
    .encrypt(await imported(key, alg === 'dir' ? enc : alg)),
})

const decrypt = async ({ alg, enc, key, token }) => {
  const { plaintext, protectedHeader } = await jose.compactDecrypt(token, await imported(key, alg === 'dir' ? enc : alg), {
    keyManagementAlgorithms: [alg],
    contentEncryptionAlgorithms: [enc],
  })
  return { payload: text(plaintext), cty: protectedHeader.cty }
}

// The key set of an issuer, kept and fetched again by the library's own rules, and how often it was fetched.
let followed

const follow = async ({ url, lifetime }) => {
  let fetched = 0
  const counted = (...request) => {
    fetched += 1
    return fetch(...request)
  }
  const keys = jose.createRemoteJWKSet(new URL(url), { cacheMaxAge: lifetime * 1000, [jose.customFetch]: counted })
  followed = { keys, fetched: () => fetched }
  return {}
}

const check = async ({ alg, issuer, audience, token }) => {
  const { protectedHeader, payload } = await jose.jwtVerify(token, followed.keys, {
    algorithms: [alg],
    typ: 'at+jwt',
    issuer,
    audience,
  })
  return { kid: protectedHeader.kid, sub: payload.sub, fetched: followed.fetched() }
}

const operations = {
  sign,
  verify,
  encrypt,
  decrypt,
  // Its import, and its export of the result.
  export: async ({ alg, key }) => ({ key: await jose.exportJWK(await imported(key, alg)) }),
  thumbprint: async ({ key }) => ({ thumbprint: await jose.calculateJwkThumbprint(key, 'sha256') }),
  make: async ({ alg, kty, crv }) => {
    const options = { extractable: true, crv, modulusLength: 2048 }
    const key =
      kty === 'oct' ? await jose.generateSecret(alg, options) : (await jose.generateKeyPair(alg, options)).privateKey
    return { key: await jose.exportJWK(key) }
  },
  nest: async ({ inner, outer, payload }) => {
    const { token } = await sign({ ...inner, payload })
    return encrypt({ ...outer, cty: 'JWT', payload: token })
  },
  unnest: async ({ inner, outer, token }) => {
    const { payload, cty } = await decrypt({ ...outer, token })
    if (cty !== 'JWT') throw new Error(`cty is ${cty}`)
    return verify({ ...inner, token: payload })
  },
  follow,
  check,
}

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line)
  let answer
  try {
    answer = await operations[question.op](question)
  } catch (error) {
    answer = { refused: `${error.name}: ${error.message}` }
  }
  process.stdout.write(JSON.stringify(answer) + '\n')
}
