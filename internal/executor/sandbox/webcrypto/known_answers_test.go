package webcrypto_test

import (
	"encoding/json"
	"reflect"
	"testing"
)

// tools are what the scripts below are written with.
const tools = `const utf8 = (s) => new TextEncoder().encode(s);
	const unhex = (h) => new Uint8Array((h.match(/../g) ?? []).map((x) => parseInt(x, 16)));`

// What Node answers, and the test vectors of the algorithms' documents. Where Node has not what the standard says
// - errors of GCM's and PSS's parameters, a JWK of bytes -, it is the standard's.
func TestKnownAnswers(t *testing.T) {
	t.Parallel()

	for _, c := range []struct{ name, script, want string }{
		{`ECDH: bits, keys, and what is no public key`, `
			const imp = (k, u) => subtle.importKey("jwk", k, {name:"ECDH", namedCurve:"P-256"}, true, u);
  const priv = {kty:"EC",crv:"P-256",x:"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",y:"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",d:"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"};
  const pub = {kty:"EC",crv:"P-256",x:"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",y:"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"};
  const a = await imp(priv, ["deriveBits","deriveKey"]), b = await imp(pub, []);
  const d = (n) => subtle.deriveBits({name:"ECDH", public:b}, a, n);
  return [hex(await d(256)), hex(await d(null)), hex(await d(128)), await d(264).catch(e=>e.name), a.usages, b.usages, (await subtle.deriveKey({name:"ECDH",public:b}, a, {name:"AES-GCM",length:256}, true, ["encrypt"])).algorithm, await imp(pub, ["deriveBits"]).catch(e=>e.name), await subtle.deriveBits({name:"ECDH", public:a}, a, 8).catch(e=>e.name), (await subtle.deriveKey({name:"ECDH",public:b}, a, "HKDF", false, ["deriveBits"])).algorithm]`, `["b729d9218372a561fdbd8818399a72de3e1d85ab29639ee84e1810bd2596cc9c","b729d9218372a561fdbd8818399a72de3e1d85ab29639ee84e1810bd2596cc9c","b729d9218372a561fdbd8818399a72de","OperationError",["deriveBits","deriveKey"],[],{"name":"AES-GCM","length":256},"SyntaxError","InvalidAccessError",{"name":"HKDF"}]`},
		{`X25519: bits and formats`, `
			const sk = await subtle.importKey("pkcs8", unhex("302e020100300506032b656e0422042077076d0a7318a57d3c16c17251b26645df4c6a2f2b6b2a4b9b3c6e9d9f0d4a2a".slice(0,96)), "X25519", true, ["deriveBits"]);
  const pk = await subtle.importKey("raw", unhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"), "X25519", true, []);
  return [hex(await subtle.deriveBits({name:"X25519", public: pk}, sk, 256)), await subtle.exportKey("jwk", pk), await subtle.exportKey("jwk", sk), hex(await subtle.exportKey("spki", pk)), hex(await subtle.exportKey("pkcs8", sk)), await subtle.deriveBits({name:"X25519", public: await subtle.importKey("raw", new Uint8Array(32), "X25519", true, [])}, sk, 256).catch(e=>e.name)]`, `["aec6b867ad2fc7a655fd8cedc8c610b1ae91982f52c540e08829dab3417e4714",{"key_ops":[],"ext":true,"kty":"OKP","crv":"X25519","x":"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"},{"key_ops":["deriveBits"],"ext":true,"kty":"OKP","crv":"X25519","x":"-1Bc_IU0xwJttJ4UoeuxsCOzCJX715DlD_mtSDFRTxY","d":"dwdtCnMYpX08FsFyUbJmRd9Mai8raypLmzxunZ8NSio"},"302a300506032b656e032100de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f","302e020100300506032b656e0422042077076d0a7318a57d3c16c17251b26645df4c6a2f2b6b2a4b9b3c6e9d9f0d4a2a","OperationError"]`},
		{`AES-CTR: the counter begins again`, `
			const k = await subtle.importKey("raw", unhex("00112233445566778899aabbccddeeff"), "AES-CTR", true, ["encrypt","decrypt"]);
  const c = (ctr, length, n) => subtle.encrypt({name:"AES-CTR", counter: unhex(ctr), length}, k, new Uint8Array(n)).then(hex, e=>e.name);
  return [await c("00000000000000000000000000000000", 64, 40), await c("ffffffffffffffffffffffffffffffff", 128, 40), await c("000000000000000000000000000000ff", 8, 40), await c("0000000000000000000000000000000f", 4, 256), await c("0000000000000000000000000000000f", 4, 257), await c("00", 64, 4), await c("00000000000000000000000000000000", 0, 4), await c("ffffffffffffffffffffffffffffffff", 129, 4), await c("aaaaaaaaaaaaaaaaffffffffffffffff", 64, 33), await subtle.exportKey("jwk", k)]`, `["fde4fbae4a09e020eff722969f83832b84d4c9c08b4f482861e3a9c6c35bc4d91df927374513bfd4","64b19314c31af45accdf7e3c4db79f0dfde4fbae4a09e020eff722969f83832b84d4c9c08b4f4828","af95f3c9e117902d500467854d84c3d2fde4fbae4a09e020eff722969f83832b84d4c9c08b4f4828","584d9dd6245b3cec79886abd9d1f0cf4fde4fbae4a09e020eff722969f83832b84d4c9c08b4f482861e3a9c6c35bc4d91df927374513bfd49f436bd73f325285daef4ff7e13d46a6dbcb1c024e72538706e865b7a0362d2fc1a1563bc2e305848438e4cbe1f1b8c806c8cd8024e33c91a1714c8b01518591b5d404adc845ecebdeaac0b190c0d8a66ee55d4eefd274225707b56d09b119c35e9aec7f436b0b1b9f2c27f1956be1412f39a4856530ffe3f6c8db18a50c4e4ccce0cfa0269815a163e0bb6f0cf8a9bebf9187f597d3b8773100ccbc3f826e11f4545257b0446dc3cf769854397cddd642bab0570f33245bf7020cc10f5aaf50d87a1b873631668a","OperationError","OperationError","OperationError","OperationError","ff65f672047d9e7c9cc38e1f1d53a994729d410b3e83cd4596f2d03341beb19035",{"key_ops":["encrypt","decrypt"],"ext":true,"alg":"A128CTR","kty":"oct","k":"ABEiM0RVZneImaq7zN3u_w"}]`},
		{`AES-KW: RFC 3394`, `
			const kek = (h) => subtle.importKey("raw", unhex(h), "AES-KW", true, ["wrapKey","unwrapKey"]);
  const key = (h) => subtle.importKey("raw", unhex(h), {name:"HMAC",hash:"SHA-256"}, true, ["sign"]);
  const w = async (k, d) => subtle.wrapKey("raw", await key(d), await kek(k), "AES-KW");
  const one = await w("000102030405060708090A0B0C0D0E0F", "00112233445566778899AABBCCDDEEFF");
  const un = await subtle.unwrapKey("raw", one, await kek("000102030405060708090A0B0C0D0E0F"), "AES-KW", {name:"HMAC",hash:"SHA-256"}, true, ["sign"]);
  return [hex(one), hex(await w("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F","00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F")), hex(await subtle.exportKey("raw", un)), await subtle.unwrapKey("raw", new Uint8Array(24), await kek("000102030405060708090A0B0C0D0E0F"), "AES-KW", "AES-GCM", true, ["encrypt"]).catch(e=>e.name), await subtle.exportKey("jwk", await kek("000102030405060708090A0B0C0D0E0F")), await w("000102030405060708090A0B0C0D0E0F", "0011").catch(e=>e.name), await subtle.encrypt("AES-KW", await kek("000102030405060708090A0B0C0D0E0F"), new Uint8Array(16)).catch(e=>e.name)]`, `["1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5","28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21","00112233445566778899aabbccddeeff","OperationError",{"key_ops":["wrapKey","unwrapKey"],"ext":true,"alg":"A128KW","kty":"oct","k":"AAECAwQFBgcICQoLDA0ODw"},"OperationError","NotSupportedError"]`},
		{`AES-GCM: short tags, wrapped JWKs`, `
			const k = await subtle.importKey("raw", new Uint8Array(16), "AES-GCM", true, ["encrypt","decrypt","wrapKey","unwrapKey"]);
  const out = [];
  for (const tagLength of [32,64,96,104,112,120,128]) {
    const a = {name:"AES-GCM", iv: new Uint8Array(12), additionalData: new Uint8Array([1,2]), tagLength};
    const c = await subtle.encrypt(a, k, new Uint8Array([1,2,3])); out.push(hex(c), hex(await subtle.decrypt(a, k, c)));
    const bad = new Uint8Array(c); bad[bad.length-1] ^= 1; out.push(await subtle.decrypt(a, k, bad).catch(e=>e.name));
  }
  out.push(hex(await subtle.encrypt({name:"AES-GCM", iv:new Uint8Array(5)}, k, new Uint8Array(20))), await subtle.encrypt({name:"AES-GCM", iv:new Uint8Array(5), tagLength: 40}, k, new Uint8Array(20)).catch(e=>e.name), await subtle.decrypt({name:"AES-GCM", iv:new Uint8Array(5)}, k, new Uint8Array(2)).catch(e=>e.name));
  const jwk = await subtle.wrapKey("jwk", k, k, {name:"AES-GCM", iv:new Uint8Array(12)});
  const un = await subtle.unwrapKey("jwk", jwk, k, {name:"AES-GCM", iv:new Uint8Array(12)}, "AES-GCM", true, ["decrypt"]);
  out.push(await subtle.exportKey("jwk", un), JSON.parse(new TextDecoder().decode(await subtle.decrypt({name:"AES-GCM", iv:new Uint8Array(12)}, k, jwk))));
  return out`, `["028ad96855f969","010203","OperationError","028ad96855f9690daa9371","010203","OperationError","028ad96855f9690daa937172556a51","010203","OperationError","028ad96855f9690daa937172556a51de","010203","OperationError","028ad96855f9690daa937172556a51de58","010203","OperationError","028ad96855f9690daa937172556a51de58db","010203","OperationError","028ad96855f9690daa937172556a51de58db18","010203","OperationError","3dac532a6b81221f1a8e7cc1a4d96ec4ec6bd9e55f81722e5532fc22fb5c392c539b7023","OperationError","OperationError",{"key_ops":["decrypt"],"ext":true,"alg":"A128GCM","kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAA"},{"key_ops":["encrypt","decrypt","wrapKey","unwrapKey"],"ext":true,"alg":"A128GCM","kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAA"}]`},
		{`PBKDF2: RFC 6070`, `
			const k = await subtle.importKey("raw", utf8("password"), "PBKDF2", false, ["deriveBits","deriveKey"]);
  const d = (hash, n, iterations=1) => subtle.deriveBits({name:"PBKDF2", hash, salt: utf8("salt"), iterations}, k, n).then(hex, e=>e.name);
  return [await d("SHA-1",160,2), await d("SHA-256",512,3), await d("SHA-256",null), await d("SHA-256",4), await d("SHA-256",8,0), await subtle.importKey("raw", utf8("x"), "PBKDF2", false, []).catch(e=>e.name)]`, `["ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957","ad35240ac683febfaf3cd49d845473fbbbaa2437f5f82d5a415ae00ac76c6bfccf9a9b8d6d2fe4a1e700c4460b040dbed692c1cb85a747f35588c08930fcfc41","OperationError","OperationError","OperationError","SyntaxError"]`},
		{`compressed points`, `
			const raw = unhex("0230a0424cd21c2944838a2d75c92b37e76ea20d9f00893a3b4eee8a3c0aafec3e");
  const out = [];
  for (const name of ["ECDSA","ECDH"]) { const k = await subtle.importKey("raw", raw, {name, namedCurve:"P-256"}, true, name==="ECDSA"?["verify"]:[]); out.push(hex(await subtle.exportKey("raw", k))); }
  const k = await subtle.importKey("spki", unhex("3039301306072a8648ce3d020106082a8648ce3d030107032200"+hex(raw)), {name:"ECDSA", namedCurve:"P-256"}, true, ["verify"]); out.push(hex(await subtle.exportKey("spki", k)));
  out.push(await subtle.importKey("raw", unhex("05"+hex(raw).slice(2)), {name:"ECDSA", namedCurve:"P-256"}, true, ["verify"]).catch(e=>e.name), await subtle.importKey("raw", raw, {name:"ECDSA", namedCurve:"P-384"}, true, ["verify"]).catch(e=>e.name), await subtle.importKey("raw", raw, {name:"ECDSA", namedCurve:"P-999"}, true, ["verify"]).catch(e=>e.name));
  return out`, `["0430a0424cd21c2944838a2d75c92b37e76ea20d9f00893a3b4eee8a3c0aafec3e1fb49a15dba9267874ad4c8642042ae1179610e1f039a499a696a49331f7e8dc","0430a0424cd21c2944838a2d75c92b37e76ea20d9f00893a3b4eee8a3c0aafec3e1fb49a15dba9267874ad4c8642042ae1179610e1f039a499a696a49331f7e8dc","3059301306072a8648ce3d020106082a8648ce3d0301070342000430a0424cd21c2944838a2d75c92b37e76ea20d9f00893a3b4eee8a3c0aafec3e1fb49a15dba9267874ad4c8642042ae1179610e1f039a499a696a49331f7e8dc","DataError","DataError","NotSupportedError"]`},
		{`RSA-OAEP: usages, wrapping`, `
			const pair = await subtle.generateKey({name:"RSA-OAEP", modulusLength:2048, publicExponent:new Uint8Array([1,0,1]), hash:"SHA-256"}, true, ["wrapKey","unwrapKey"]);
  const aes = await subtle.generateKey({name:"AES-GCM",length:256}, true, ["encrypt"]);
  const w = await subtle.wrapKey("raw", aes, pair.publicKey, {name:"RSA-OAEP"});
  const un = await subtle.unwrapKey("raw", w, pair.privateKey, "RSA-OAEP", "AES-GCM", true, ["encrypt"]);
  return [pair.publicKey.usages, pair.privateKey.usages, w.byteLength, hex(await subtle.exportKey("raw", un)) === hex(await subtle.exportKey("raw", aes)), (await subtle.exportKey("jwk", pair.publicKey)).alg, Object.keys(await subtle.exportKey("jwk", pair.privateKey)).sort(), await subtle.encrypt("RSA-OAEP", pair.publicKey, new Uint8Array(1)).catch(e=>e.name), await subtle.unwrapKey("raw", w, pair.privateKey, "RSA-OAEP", "AES-GCM", true, []).catch(e=>e.name), await subtle.exportKey("raw", pair.publicKey).catch(e=>e.name), await subtle.exportKey("pkcs8", pair.publicKey).catch(e=>e.name)]`, `[["wrapKey"],["unwrapKey"],256,true,"RSA-OAEP-256",["alg","d","dp","dq","e","ext","key_ops","kty","n","p","q","qi"],"InvalidAccessError","SyntaxError","InvalidAccessError","InvalidAccessError"]`},
		{`RSA-PSS: no salt is no salt`, `
			const pair = await subtle.generateKey({name:"RSA-PSS", modulusLength:2048, publicExponent:new Uint8Array([1,0,1]), hash:"SHA-256"}, true, ["sign","verify"]);
  const s = (n) => subtle.sign({name:"RSA-PSS", saltLength:n}, pair.privateKey, utf8("x"));
  const v = (n, sig) => subtle.verify({name:"RSA-PSS", saltLength:n}, pair.publicKey, sig, utf8("x"));
  const a = await s(0), b = await s(0), c = await s(32);
  const out = [hex(a) === hex(b), await v(0, a), await v(32, a), await v(0, c), await v(32, c), await v(20, c), await s(-1).catch(e=>e.name), await subtle.sign({name:"RSA-PSS"}, pair.privateKey, utf8("x")).catch(e=>e.name), await s(4000).catch(e=>e.name), await v(4000, c)];
  const jwk = await subtle.exportKey("jwk", pair.privateKey); delete jwk.alg; delete jwk.key_ops;
  return out`, `[true,true,false,false,true,false,"TypeError","TypeError","OperationError",false]`},
		{`JWK: of a secret key`, `
			const base = {kty:"oct", k:"AAECAwQFBgcICQoLDA0ODw"}; const imp = (o, a="AES-GCM", ext=true, u=["encrypt"]) => subtle.importKey("jwk", {...base, ...o}, a, ext, u).then(k=>k.type, e=>e.name);
  return [await imp({}), await imp({alg:"A256GCM"}), await imp({alg:"A128GCM"}), await imp({use:"sig"}), await imp({use:"enc"}), await imp({key_ops:["decrypt"]}), await imp({key_ops:["encrypt","decrypt"]}), await imp({key_ops:["encrypt","encrypt"]}), await imp({ext:false}), await imp({ext:false},"AES-GCM",false), await imp({kty:"EC"}), await imp({k:undefined}), await imp({alg:"HS256"}, {name:"HMAC",hash:"SHA-1"}, true, ["sign"]), await imp({alg:"HS1"}, {name:"HMAC",hash:"SHA-1"}, true, ["sign"]), await imp({}, "AES-GCM", true, []), await imp({}, "AES-GCM", true, ["sign"]), await imp({}, "AES-KW", true, ["wrapKey"]), await imp({alg:"A128KW"}, "AES-KW", true, ["wrapKey"]), await subtle.importKey("jwk", new Uint8Array(3), "AES-GCM", true, ["encrypt"]).catch(e=>e.name), await imp({}, "HKDF", false, ["deriveBits"])]`, `["secret","DataError","secret","DataError","secret","DataError","secret","DataError","DataError","secret","DataError","DataError","DataError","secret","SyntaxError","SyntaxError","secret","secret","TypeError","NotSupportedError"]`},
		{`JWK: of a pair`, `
			const base = {kty:"OKP",crv:"Ed25519",x:"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",d:"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}; const imp = (o, a="Ed25519", ext=true, u=["sign"]) => subtle.importKey("jwk", {...base, ...o}, a, ext, u).then(k=>k.type, e=>e.name);
  return [await imp({}), await imp({x:undefined}), await imp({d:undefined}), await imp({d:undefined}, "Ed25519", true, ["verify"]), await imp({crv:"X25519"}), await imp({}, "X25519", true, ["deriveBits"]), await imp({alg:"EdDSA"}), await imp({alg:"ES256"}), await imp({}, "Ed25519", true, ["verify"]), await imp({}, "Ed25519", true, [])]`, `["private","DataError","SyntaxError","public","DataError","DataError","private","DataError","SyntaxError","SyntaxError"]`},
		{`HMAC: lengths`, `
			const h = (n, o={}) => subtle.importKey("raw", new Uint8Array(n).fill(255), {name:"HMAC",hash:"SHA-256",...o}, true, ["sign"]).then(async k=>[k.algorithm.length, hex(await subtle.exportKey("raw",k))], e=>e.name);
  return [await h(2), await h(0), await h(2,{length:16}), await h(2,{length:17}), await h(2,{length:8}), await subtle.generateKey({name:"HMAC",hash:"SHA-384"}, true, ["sign"]).then(k=>k.algorithm.length), await subtle.generateKey({name:"HMAC",hash:"SHA-1",length:0}, true, ["sign"]).catch(e=>e.name)]`, `[[16,"ffff"],"DataError",[16,"ffff"],"DataError","DataError",1024,"OperationError"]`},
		{`names of errors`, `
			const out = []; for (const [op, ...args] of [["digest","AES-GCM",new Uint8Array()],["generateKey","SHA-1",true,["sign"]],["generateKey","AES-GCM",true,["encrypt"]],["generateKey",{name:"AES-GCM",length:128},true,["sign"]],["generateKey",{name:"AES-GCM",length:128},true,[]],["generateKey",{name:"ECDH",namedCurve:"P-256"},true,["sign"]],["generateKey",{name:"ECDH",namedCurve:"P-256"},true,[]],["generateKey",{name:"ECDSA",namedCurve:"P-1"},true,["sign"]],["generateKey",{name:"ECDSA"},true,["sign"]],["importKey","raw",new Uint8Array(16),"Nope",true,[]],["importKey","spki",new Uint8Array(16),"AES-GCM",true,["encrypt"]],["importKey","spki",new Uint8Array(16),"Ed25519",true,["verify"]],["importKey","raw",new Uint8Array(32),"Ed25519",true,[]],["importKey","raw",new Uint8Array(16),"AES-GCM",true,[]]]) out.push(await subtle[op](...args).then(k=>k.type, e=>e.name)); return out`, `["NotSupportedError","NotSupportedError","TypeError","SyntaxError","SyntaxError","SyntaxError","SyntaxError","NotSupportedError","TypeError","NotSupportedError","NotSupportedError","DataError","public","SyntaxError"]`},
		{`pairs: what their keys have in common`, `
			const p = await subtle.generateKey({name:"X25519"}, false, ["deriveBits"]); return [p.publicKey.extractable, p.privateKey.extractable, p.publicKey.usages, p.privateKey.usages, p.publicKey.algorithm, await subtle.exportKey("jwk", p.privateKey).catch(e=>e.name), p.publicKey.algorithm === p.publicKey.algorithm, p.publicKey.usages === p.publicKey.usages]`, `[true,false,[],["deriveBits"],{"name":"X25519"},"InvalidAccessError",true,true]`},
		{`HKDF: RFC 5869`, `
			const k = await subtle.importKey("raw", unhex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"), "HKDF", false, ["deriveBits","deriveKey"]);
  const d = (hash, salt, info, n) => subtle.deriveBits({name:"HKDF", hash, salt: unhex(salt), info: unhex(info)}, k, n).then(hex, e=>e.name);
  const key = async (to) => (await subtle.deriveKey({name:"HKDF",hash:"SHA-256",salt:new Uint8Array(),info:new Uint8Array()}, k, to, true, ["sign"])).algorithm.length;
  return [await d("SHA-256","000102030405060708090a0b0c","f0f1f2f3f4f5f6f7f8f9",336), await d("SHA-1","","",80), await d("SHA-384","","",null), await d("SHA-512","","",12), (await d("SHA-256","","",255*32*8)).length, await d("SHA-256","","",255*32*8+8), await key({name:"HMAC",hash:"SHA-512"}), await key({name:"HMAC",hash:"SHA-256",length:160})]`, `["3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865","0ac1af7002b3d761d1e5","OperationError","OperationError",16320,"OperationError",1024,160]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()

			var got, want any
			text := run(t, tools+"return JSON.stringify(await (async () => {"+c.script+"})())")
			if json.Unmarshal([]byte(text), &got) != nil || json.Unmarshal([]byte(c.want), &want) != nil {
				t.Fatalf("gives %s", text)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("gives\n%s, want\n%s", text, c.want)
			}
		})
	}
}
