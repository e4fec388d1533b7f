import { SignJWT, jwtVerify, generateKeyPair, exportJWK, importJWK, base64url } from "jose";
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
  return { jwt, sub: payload.sub, es: back.payload.sub, rsa: (await jwtVerify(r, rs.publicKey)).payload.sub, bad };
};
