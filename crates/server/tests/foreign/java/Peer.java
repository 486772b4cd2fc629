import com.nimbusds.jose.EncryptionMethod;
import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWEAlgorithm;
import com.nimbusds.jose.JWEDecrypter;
import com.nimbusds.jose.JWEEncrypter;
import com.nimbusds.jose.JWEHeader;
import com.nimbusds.jose.JWEObject;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSObject;
import com.nimbusds.jose.JWSSigner;
import com.nimbusds.jose.JWSVerifier;
import com.nimbusds.jose.Payload;
import com.nimbusds.jose.crypto.AESDecrypter;
import com.nimbusds.jose.crypto.AESEncrypter;
import com.nimbusds.jose.crypto.DirectDecrypter;
import com.nimbusds.jose.crypto.DirectEncrypter;
import com.nimbusds.jose.crypto.ECDHDecrypter;
import com.nimbusds.jose.crypto.ECDHEncrypter;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.crypto.ECDSAVerifier;
import com.nimbusds.jose.crypto.Ed25519Signer;
import com.nimbusds.jose.crypto.Ed25519Verifier;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jose.crypto.MACVerifier;
import com.nimbusds.jose.crypto.RSADecrypter;
import com.nimbusds.jose.crypto.RSAEncrypter;
import com.nimbusds.jose.crypto.RSASSASigner;
import com.nimbusds.jose.crypto.RSASSAVerifier;
import com.nimbusds.jose.crypto.X25519Decrypter;
import com.nimbusds.jose.crypto.X25519Encrypter;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.OctetKeyPair;
import com.nimbusds.jose.jwk.OctetSequenceKey;
import com.nimbusds.jose.jwk.RSAKey;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jose.jwk.gen.OctetKeyPairGenerator;
import com.nimbusds.jose.jwk.gen.OctetSequenceKeyGenerator;
import com.nimbusds.jose.jwk.gen.RSAKeyGenerator;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.DefaultJOSEObjectTypeVerifier;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jose.util.DefaultResourceRetriever;
import com.nimbusds.jose.util.JSONObjectUtils;
import com.nimbusds.jose.util.Resource;
import com.nimbusds.jwt.EncryptedJWT;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URI;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Set;

/** Nimbus, asked by the tests: a question in JSON on each line of standard input, an answer on each line of output. */
final class Peer {
    public static void main(String[] arguments) throws Exception {
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            Map<String, Object> answer;
            try {
                answer = answer(JSONObjectUtils.parse(line));
            } catch (Exception refusal) {
                answer = Map.of("refused", refusal.toString());
            }
            answers.println(JSONObjectUtils.toJSONString(answer));
        }
    }

    static Map<String, Object> answer(Map<String, Object> question) throws Exception {
        return switch (text(question, "op")) {
            case "sign" -> Map.of("token", sign(question, text(question, "payload")));
            case "verify" -> Map.of("payload", verify(question, JWSObject.parse(text(question, "token"))));
            case "encrypt" -> Map.of("token", encrypt(question, null, text(question, "payload")));
            case "decrypt" -> Map.of("payload", decrypt(question, JWEObject.parse(text(question, "token"))).toString());
            case "export" -> Map.of("key", key(question).toJSONObject());
            case "thumbprint" -> Map.of("thumbprint", key(question).computeThumbprint().toString());
            case "make" -> Map.of("key", make(question).toJSONObject());
            case "nest" -> {
                var signed = sign(part(question, "inner"), text(question, "payload"));
                yield Map.of("token", encrypt(part(question, "outer"), "JWT", signed));
            }
            case "unnest" -> {
                var encrypted = EncryptedJWT.parse(text(question, "token"));
                SignedJWT signed = decrypt(part(question, "outer"), encrypted).toSignedJWT();
                yield Map.of("payload", verify(part(question, "inner"), signed));
            }
            case "follow" -> {
                follow(URI.create(text(question, "url")).toURL(), JSONObjectUtils.getLong(question, "lifetime"));
                yield Map.of();
            }
            case "check" -> check(question);
            default -> throw new UnsupportedOperationException(text(question, "op"));
        };
    }

    static String sign(Map<String, Object> question, String payload) throws Exception {
        JWK key = key(question);
        JWSSigner signer = signer(key);
        var header = new JWSHeader.Builder(JWSAlgorithm.parse(text(question, "alg")))
                .type(new JOSEObjectType(text(question, "typ")))
                .keyID(key.getKeyID())
                .build();
        var signed = new JWSObject(header, new Payload(payload));
        signed.sign(signer);
        return signed.serialize();
    }

    static String verify(Map<String, Object> question, JWSObject signed) throws Exception {
        JWK key = key(question);
        JWSVerifier verifier = verifier(key);
        boolean expected = signed.getHeader().getAlgorithm().getName().equals(text(question, "alg"));
        if (!expected || !signed.verify(verifier)) {
            throw new SecurityException("the signature is wrong");
        }
        return signed.getPayload().toString();
    }

    static String encrypt(Map<String, Object> question, String contentType, String payload) throws Exception {
        JWK key = key(question);
        boolean direct = text(question, "alg").equals("dir");
        JWEEncrypter encrypter = encrypter(key, direct);
        var method = EncryptionMethod.parse(text(question, "enc"));
        var header = new JWEHeader.Builder(JWEAlgorithm.parse(text(question, "alg")), method)
                .contentType(contentType)
                .keyID(key.getKeyID())
                .build();
        var encrypted = new JWEObject(header, new Payload(payload));
        encrypted.encrypt(encrypter);
        return encrypted.serialize();
    }

    static Payload decrypt(Map<String, Object> question, JWEObject encrypted) throws Exception {
        JWK key = key(question);
        boolean direct = text(question, "alg").equals("dir");
        JWEDecrypter decrypter = decrypter(key, direct);
        var header = encrypted.getHeader();
        if (!header.getAlgorithm().getName().equals(text(question, "alg"))
                || !header.getEncryptionMethod().getName().equals(text(question, "enc"))) {
            throw new SecurityException("the algorithm is another one");
        }
        encrypted.decrypt(decrypter);
        return encrypted.getPayload();
    }

    static JWSSigner signer(JWK key) throws Exception {
        if (key instanceof RSAKey rsa) {
            return new RSASSASigner(rsa);
        }
        if (key instanceof ECKey ec) {
            return new ECDSASigner(ec);
        }
        if (key instanceof OctetKeyPair pair) {
            return new Ed25519Signer(pair);
        }
        if (key instanceof OctetSequenceKey secret) {
            return new MACSigner(secret);
        }
        throw new IllegalArgumentException(key.getKeyType().toString());
    }

    static JWSVerifier verifier(JWK key) throws Exception {
        if (key instanceof RSAKey rsa) {
            return new RSASSAVerifier(rsa);
        }
        if (key instanceof ECKey ec) {
            return new ECDSAVerifier(ec);
        }
        if (key instanceof OctetKeyPair pair) {
            return new Ed25519Verifier(pair);
        }
        if (key instanceof OctetSequenceKey secret) {
            return new MACVerifier(secret);
        }
        throw new IllegalArgumentException(key.getKeyType().toString());
    }

    static JWEEncrypter encrypter(JWK key, boolean direct) throws Exception {
        if (key instanceof RSAKey rsa) {
            return new RSAEncrypter(rsa);
        }
        if (key instanceof ECKey ec) {
            return new ECDHEncrypter(ec);
        }
        if (key instanceof OctetKeyPair pair) {
            return new X25519Encrypter(pair);
        }
        if (key instanceof OctetSequenceKey secret) {
            return direct ? new DirectEncrypter(secret) : new AESEncrypter(secret);
        }
        throw new IllegalArgumentException(key.getKeyType().toString());
    }

    static JWEDecrypter decrypter(JWK key, boolean direct) throws Exception {
        if (key instanceof RSAKey rsa) {
            return new RSADecrypter(rsa);
        }
        if (key instanceof ECKey ec) {
            return new ECDHDecrypter(ec);
        }
        if (key instanceof OctetKeyPair pair) {
            return new X25519Decrypter(pair);
        }
        if (key instanceof OctetSequenceKey secret) {
            return direct ? new DirectDecrypter(secret) : new AESDecrypter(secret);
        }
        throw new IllegalArgumentException(key.getKeyType().toString());
    }

    /** Fetches key sets, and counts them. */
    static final class Counted extends DefaultResourceRetriever {
        int fetched;

        Counted() {
            super(5000, 5000);
        }

        @Override
        public Resource retrieveResource(URL url) throws IOException {
            fetched++;
            return super.retrieveResource(url);
        }
    }

    static Counted counted = new Counted();
    static DefaultJWTProcessor<SecurityContext> followed;

    /** The key set of an issuer, kept and fetched again by the library's own rules. */
    static void follow(URL url, long lifetime) {
        counted = new Counted();
        var keys = JWKSourceBuilder.<SecurityContext>create(url, counted)
                .cache(lifetime * 1000, 5000)
                .refreshAheadCache(false)
                .rateLimited(false)
                .build();
        followed = new DefaultJWTProcessor<>();
        followed.setJWSTypeVerifier(new DefaultJOSEObjectTypeVerifier<>(new JOSEObjectType("at+jwt")));
        followed.setJWSKeySelector(new JWSVerificationKeySelector<>(JWSAlgorithm.ES256, keys));
    }

    static Map<String, Object> check(Map<String, Object> question) throws Exception {
        var signed = SignedJWT.parse(text(question, "token"));
        var issued = new JWTClaimsSet.Builder().issuer(text(question, "issuer")).build();
        followed.setJWTClaimsSetVerifier(
                new DefaultJWTClaimsVerifier<>(text(question, "audience"), issued, Set.of("exp", "sub")));
        var claims = followed.process(signed, null);
        return Map.of("kid", signed.getHeader().getKeyID(), "sub", claims.getSubject(), "fetched", counted.fetched);
    }

    static JWK make(Map<String, Object> question) throws Exception {
        return switch (text(question, "kty")) {
            case "RSA" -> new RSAKeyGenerator(2048).generate();
            case "EC" -> new ECKeyGenerator(Curve.parse(text(question, "crv"))).generate();
            case "OKP" -> new OctetKeyPairGenerator(Curve.parse(text(question, "crv"))).generate();
            default -> new OctetSequenceKeyGenerator(JSONObjectUtils.getInt(question, "bits")).generate();
        };
    }

    static JWK key(Map<String, Object> question) throws Exception {
        return JWK.parse(part(question, "key"));
    }

    static Map<String, Object> part(Map<String, Object> question, String name) throws Exception {
        return JSONObjectUtils.getJSONObject(question, name);
    }

    static String text(Map<String, Object> question, String name) throws Exception {
        return JSONObjectUtils.getString(question, name);
    }
}
