import { SignJWT, jwtVerify, CompactEncrypt, compactDecrypt, generateKeyPair, generateSecret, exportJWK, importJWK } from "jose";
export default async () => {
  const secret = new TextEncoder().encode("a secret of at least thirty-two bytes!!");
  const jwt = await new SignJWT({ sub: "ada" }).setProtectedHeader({ alg: "HS256" }).setIssuedAt(1700000000).setExpirationTime(4000000000).sign(secret);
  const { payload } = await jwtVerify(jwt, secret);
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const es = await new SignJWT({ sub: "eve" }).setProtectedHeader({ alg: "ES256" }).sign(privateKey);
  const back = await jwtVerify(es, await importJWK(await exportJWK(publicKey), "ES256"));
  const rs = await generateKeyPair("RS256");
  const r = await new SignJWT({ sub: "rsa" }).setProtectedHeader({ alg: "RS256" }).sign(rs.privateKey);
  let bad = ""; try { await jwtVerify(jwt.slice(0, -2) + "xx", secret); } catch (e) { bad = e.code; }
  const jwe = async (alg, enc, pub, priv) => new TextDecoder().decode((await compactDecrypt(await new CompactEncrypt(new TextEncoder().encode(alg)).setProtectedHeader({ alg, enc }).encrypt(pub), priv)).plaintext);
  const x = await generateKeyPair("ECDH-ES+A128KW", { crv: "X25519" }), p = await generateKeyPair("ECDH-ES", { crv: "P-256" }), kw = await generateSecret("A128KW"), oaep = await generateKeyPair("RSA-OAEP-256");
  const sealed = [await jwe("ECDH-ES+A128KW", "A256GCM", x.publicKey, x.privateKey), await jwe("ECDH-ES", "A128CBC-HS256", p.publicKey, p.privateKey), await jwe("A128KW", "A128GCM", kw, kw), await jwe("RSA-OAEP-256", "A256GCM", oaep.publicKey, oaep.privateKey)];
  return { sealed: sealed.join(" "), jwt, sub: payload.sub, es: back.payload.sub, rsa: (await jwtVerify(r, rs.publicKey)).payload.sub, bad };
};
