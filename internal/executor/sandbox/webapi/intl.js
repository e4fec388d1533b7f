// Intl of ECMA-402 for English and German, in the forms that CLDR gives them: numbers, dates, plurals, relative times, lists
// and collation. Other locales fall back to en-US, as a lookup matcher does. Time zones and collation come from Go.
(function (host) {
  "use strict";
  const put = (o, name, value) => Object.defineProperty(o, name, { value, writable: true, configurable: true, enumerable: false });
  const tagOf = (C, name) => Object.defineProperty(C.prototype, Symbol.toStringTag, { value: "Intl." + name, configurable: true });

  // A unit's forms: long; short; narrow, each "one|other" or the same for all.
  const english = {
    and: { long: " and ", short: " & ", narrow: ", " }, or: " or ", serial: true,
    decimal: ".", group: ",", percent: "%", currencyFirst: true,
    compact: { short: { 3: "K", 6: "M", 9: "B", 12: "T" }, long: { 3: " thousand", 6: " million", 9: " billion", 12: " trillion" } },
    symbols: { USD: "$", EUR: "€", GBP: "£", JPY: "¥", CNY: "CN¥", INR: "₹", KRW: "₩", CAD: "CA$", AUD: "A$", NZD: "NZ$", MXN: "MX$", BRL: "R$", HKD: "HK$", TWD: "NT$", ILS: "₪", VND: "₫", PHP: "₱" },
    currencies: { USD: "US dollar|US dollars", EUR: "euro|euros", GBP: "British pound|British pounds", JPY: "Japanese yen", CHF: "Swiss franc|Swiss francs", SEK: "Swedish krona|Swedish kronor", NOK: "Norwegian krone|Norwegian kroner", DKK: "Danish krone|Danish kroner" },
    units: {
      bit: " bit| bits; bit;bit", byte: " byte| bytes; byte;B", kilobyte: " kilobyte| kilobytes; kB;kB",
      megabyte: " megabyte| megabytes; MB;MB", gigabyte: " gigabyte| gigabytes; GB;GB", terabyte: " terabyte| terabytes; TB;TB",
      millisecond: " millisecond| milliseconds; ms;ms", second: " second| seconds; sec;s", minute: " minute| minutes; min;m",
      hour: " hour| hours; hr;h", day: " day| days; day| days;d", week: " week| weeks; wk| wks;w", month: " month| months; mth| mths;m",
      year: " year| years; yr| yrs;y", millimeter: " millimeter| millimeters; mm;mm", centimeter: " centimeter| centimeters; cm;cm",
      meter: " meter| meters; m;m", kilometer: " kilometer| kilometers; km;km", mile: " mile| miles; mi;mi", gram: " gram| grams; g;g",
      kilogram: " kilogram| kilograms; kg;kg", milliliter: " milliliter| milliliters; mL;mL", liter: " liter| liters; L;L",
      celsius: " degree Celsius| degrees Celsius;°C;°C", percent: " percent;%;%",
      "kilometer-per-hour": " kilometer per hour| kilometers per hour; km/h;km/h",
    },
    months: "January,February,March,April,May,June,July,August,September,October,November,December".split(","),
    monthsShort: "Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec".split(","),
    days: "Sunday,Monday,Tuesday,Wednesday,Thursday,Friday,Saturday".split(","),
    daysShort: "Sun,Mon,Tue,Wed,Thu,Fri,Sat".split(","),
    // Which fields there are (w weekday, y year, M month as text, m as number, d day), and how they stand together.
    dates: {
      md: "{m}/{d}", ym: "{m}/{y}", ymd: "{m}/{d}/{y}", Md: "{m} {d}", yM: "{m} {y}", yMd: "{m} {d}, {y}", wd: "{d} {w}", wm: "{m} {w}",
      wM: "{m} {w}", wmd: "{w}, {m}/{d}", wymd: "{w}, {m}/{d}/{y}", wMd: "{w}, {m} {d}", wyMd: "{w}, {m} {d}, {y}", wy: "{y} {w}",
      wym: "{m}/{y} {w}", wyM: "{m} {y} {w}", yd: "{y} (day: {d})", wyd: "{d} {w} {y}",
    },
    styles: { full: "wyMd", long: "yMd", medium: ["yMd", { month: "short" }], short: ["ymd", { year: "2-digit" }] },
    ranges: {
      d: { y: "{m}/{d}/{y}\u2009–\u2009{m'}/{d'}/{y'}", M: "{m}/{d}\u2009–\u2009{m'}/{d'}" }, md: { y: "{m}/{d}/{y}\u2009–\u2009{m'}/{d'}/{y'}" },
      Md: { y: "{m} {d}, {y}\u2009–\u2009{m'} {d'}, {y'}", d: "{m} {d}\u2009–\u2009{d'}" }, yM: { M: "{m}\u2009–\u2009{m'} {y}" },
      yMd: { M: "{m} {d}\u2009–\u2009{m'} {d'}, {y}", d: "{m} {d}\u2009–\u2009{d'}, {y}" }, wmd: { y: "{w}, {m}/{d}/{y}\u2009–\u2009{w'}, {m'}/{d'}/{y'}" },
      wMd: { y: "{w}, {m} {d}, {y}\u2009–\u2009{w'}, {m'} {d'}, {y'}" },
      wyMd: { M: "{w}, {m} {d}\u2009–\u2009{w'}, {m'} {d'}, {y}", d: "{w}, {m} {d}\u2009–\u2009{w'}, {m'} {d'}, {y}" },
    },
    timeRange: "\u2009–\u2009", hourRange: "",
    at: " at ", weekdayTime: " ", hourCycle: "h12", am: "AM", pm: "PM", hourOnly: "",
    zones: { EST: "Eastern Standard Time", EDT: "Eastern Daylight Time", CST: "Central Standard Time", CDT: "Central Daylight Time", MST: "Mountain Standard Time", MDT: "Mountain Daylight Time", PST: "Pacific Standard Time", PDT: "Pacific Daylight Time", GMT: "Greenwich Mean Time", BST: "British Summer Time", CET: "Central European Standard Time", CEST: "Central European Summer Time", EET: "Eastern European Standard Time", EEST: "Eastern European Summer Time", UTC: "Coordinated Universal Time", IST: "India Standard Time", JST: "Japan Standard Time" },
    shortZones: { America: "EST,EDT,CST,CDT,MST,MDT,PST,PDT,AKST,AKDT", Pacific: "HST", Europe: "GMT" },
    relative: {
      past: "{0} ago", future: "in {0}",
      short: { second: " sec.", minute: " min.", hour: " hr.", day: " day| days", week: " wk.", month: " mo.", quarter: " qtr.| qtrs.", year: " yr." },
      narrow: { second: "s", minute: "m", hour: "h", day: "d", week: "w", month: "mo", quarter: "q", year: "y" },
      long: (u) => ` ${u}| ${u}s`,
      auto: (u, n) => u === "second" ? (n === 0 ? "now" : undefined)
        : u === "day" ? { "-1": "yesterday", 0: "today", 1: "tomorrow" }[n]
        : u === "minute" || u === "hour" ? (n === 0 ? "this " + u : undefined) : { "-1": "last ", 0: "this ", 1: "next " }[n]?.concat(u),
    },
  };
  const british = {
    ...english, and: { ...english.and, short: " and " }, serial: false,
    compact: { ...english.compact, short: { 3: "k", 6: "m", 9: "bn", 12: "tn" } },
    symbols: { ...english.symbols, USD: "US$", JPY: "JP¥" },
    units: {
      ...english.units, second: " second| seconds; sec| secs;s", minute: " minute| minutes; min| mins;m", hour: " hour| hours; hr| hrs;h",
      millimeter: " millimetre| millimetres; mm;mm", centimeter: " centimetre| centimetres; cm;cm", meter: " metre| metres; m;m",
      kilometer: " kilometre| kilometres; km;km", milliliter: " millilitre| millilitres; ml;ml", liter: " litre| litres; l;l", percent: " per cent;%;%",
      "kilometer-per-hour": " kilometre per hour| kilometres per hour; km/h;km/h",
    },
    monthsShort: "Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sept,Oct,Nov,Dec".split(","),
    dates: {
      ...english.dates, md: "{d}/{m}", ymd: "{d}/{m}/{y}", Md: "{d} {m}", yMd: "{d} {m} {y}", wd: "{w} {d}", wmd: "{w} {d}/{m}",
      wymd: "{w}, {d}/{m}/{y}", wMd: "{w} {d} {m}", wyMd: "{w}, {d} {m} {y}", wyd: "{w} {d} {y}",
    },
    styles: { full: "wyMd", long: "yMd", medium: ["yMd", { month: "short" }], short: ["ymd", {}] },
    ranges: {
      d: { y: "{D}/{N}/{y}\u2009–\u2009{D'}/{N'}/{y'}", M: "{D}/{N}\u2009–\u2009{D'}/{N'}" }, md: { y: "{d}/{m}/{y}\u2009–\u2009{d'}/{m'}/{y'}" },
      Md: { y: "{d} {m} {y}\u2009–\u2009{d'} {m'} {y'}", d: "{d}\u2009–\u2009{d'} {m}" }, yM: { M: "{m}\u2009–\u2009{m'} {y}" },
      yMd: { M: "{d} {m}\u2009–\u2009{d'} {m'} {y}", d: "{d}\u2009–\u2009{d'} {m} {y}" }, wmd: { y: "{w}, {d}/{m}/{y}\u2009–\u2009{w'}, {d'}/{m'}/{y'}" },
      wMd: { y: "{w}, {d} {m} {y}\u2009–\u2009{w'}, {d'} {m'} {y'}" },
      wyMd: { M: "{w}, {d} {m}\u2009–\u2009{w'}, {d'} {m'} {y}", d: "{w}, {d}\u2009{m} –\u2009{w'}, {d'} {m'} {y}" },
    },
    timeRange: "–", hourRange: "",
    longRanges: { wyMd: { y: "{w} {d} {m} {y}\u2009–\u2009{w'} {d'} {m'} {y'}", M: "{w} {d} {m}\u2009–\u2009{w'} {d'} {m'} {y}", d: "{w} {d}\u2009{m} –\u2009{w'} {d'} {m'} {y}" } },
    paddedDates: true, hourCycle: "h23", am: "am", pm: "pm", hourOnly: "",
    shortZones: { Europe: "GMT,BST,CET,CEST,EET,EEST,WET,WEST" },
  };
  const german = {
    and: { long: " und ", short: " und ", narrow: " und " }, or: " oder ", serial: false, unitAnd: " und ",
    decimal: ",", group: ".", percent: "\u00a0%", currencyFirst: false,
    compact: { short: { 6: "\u00a0Mio.", 9: "\u00a0Mrd.", 12: "\u00a0Bio." }, long: { 3: " Tausend", 6: " Million| Millionen", 9: " Milliarde| Milliarden", 12: " Billion| Billionen" } },
    symbols: { ...english.symbols, AUD: "AU$", PHP: "PHP", THB: "฿" },
    currencies: { USD: "US-Dollar", EUR: "Euro", GBP: "Britisches Pfund|Britische Pfund", JPY: "Japanischer Yen|Japanische Yen", CHF: "Schweizer Franken", SEK: "Schwedische Krone|Schwedische Kronen", NOK: "Norwegische Krone|Norwegische Kronen", DKK: "Dänische Krone|Dänische Kronen" },
    units: {
      bit: "\u00a0Bit| Bit;\u00a0Bit| Bit; b", byte: "\u00a0Byte| Byte;\u00a0Byte| Byte; B", kilobyte: "\u00a0Kilobyte| Kilobyte; kB; kB",
      megabyte: "\u00a0Megabyte| Megabyte; MB; MB", gigabyte: "\u00a0Gigabyte| Gigabyte;\u00a0GB;\u00a0GB", terabyte: "\u00a0Terabyte| Terabyte; TB; TB",
      millisecond: " Millisekunde| Millisekunden; ms;ms| ms", second: " Sekunde| Sekunden; Sek.; Sek.", minute: " Minute| Minuten; Min.; Min.",
      hour: " Stunde| Stunden; Std.;h", day: " Tag| Tage; Tg.; T", week: " Woche| Wochen; Wo.; W", month: " Monat| Monate; Mon.; M",
      year: " Jahr| Jahre; J; J", millimeter: " Millimeter; mm; mm", centimeter: " Zentimeter; cm; cm", meter: " Meter; m; m",
      kilometer: " Kilometer; km; km", mile: " Meile| Meilen; mi; mi", gram: " Gramm; g; g", kilogram: " Kilogramm; kg; kg",
      milliliter: "\u00a0Milliliter;\u00a0ml;\u00a0ml", liter: " Liter; l; l", celsius: " Grad Celsius; °C; °C",
      percent: " Prozent;\u00a0%;\u00a0%", "kilometer-per-hour": " Kilometer pro Stunde; km/h; km/h",
    },
    months: "Januar,Februar,März,April,Mai,Juni,Juli,August,September,Oktober,November,Dezember".split(","),
    monthsShort: "Jan.,Feb.,März,Apr.,Mai,Juni,Juli,Aug.,Sept.,Okt.,Nov.,Dez.".split(","),
    monthsAlone: "Jan,Feb,Mär,Apr,Mai,Jun,Jul,Aug,Sep,Okt,Nov,Dez".split(","),
    days: "Sonntag,Montag,Dienstag,Mittwoch,Donnerstag,Freitag,Samstag".split(","),
    daysShort: "So.,Mo.,Di.,Mi.,Do.,Fr.,Sa.".split(","),
    daysAlone: "So,Mo,Di,Mi,Do,Fr,Sa".split(","),
    dates: {
      ...english.dates, md: "{d}.{m}.", ymd: "{d}.{m}.{y}", Md: "{d}. {m}", yMd: "{d}. {m} {y}", wd: "{w}, {d}.", wmd: "{w}, {d}.{m}.",
      wymd: "{w}, {d}.{m}.{y}", wMd: "{w}, {d}. {m}", wyMd: "{w}, {d}. {m} {y}", yd: "{y} (Tag: {d})", wyd: "{y} {w}, {d}.",
    },
    styles: { full: "wyMd", long: "yMd", medium: ["ymd", { month: "2-digit", day: "2-digit" }], short: ["ymd", { month: "2-digit", day: "2-digit", year: "2-digit" }] },
    ranges: {
      d: { y: "{D}.{N}.{y}\u2009–\u2009{D'}.{N'}.{y'}", M: "{D}.{N}.\u2009–\u2009{D'}.{N'}.", d: "{d}.–{d'}." }, y: { y: "{y}–{y'}" },
      md: { y: "{D}.{N}.{y}\u2009–\u2009{D'}.{N'}.{y'}", M: "{D}.{N}.\u2009–\u2009{D'}.{N'}.", d: "{D}.–{D'}.{N}." },
      ymd: { y: "{D}.{N}.{y}\u2009–\u2009{D'}.{N'}.{y'}", M: "{D}.{N}.\u2009–\u2009{D'}.{N'}.{y}", d: "{D}.–{D'}.{N}.{y}" },
      Md: { y: "{d}. {m} {y}\u2009–\u2009{d'}. {m'} {y'}", d: "{d}.–{d'}. {m}" }, yM: { M: "{m}–{m'} {y}" },
      yMd: { M: "{d}. {m}\u2009–\u2009{d'}. {m'} {y}", d: "{d}.–{d'}. {m} {y}" },
      wmd: { y: "{w}, {D}.{N}.{y}\u2009–\u2009{w'}, {D'}.{N'}.{y'}", M: "{w}, {D}.{N}.\u2009–\u2009{w'}, {D'}.{N'}.", d: "{w}, {D}.\u2009–\u2009{w'}, {D'}.{N}." },
      wymd: { y: "{w}, {D}.{N}.{y}\u2009–\u2009{w'}, {D'}.{N'}.{y'}", M: "{w}, {D}.{N}.\u2009–\u2009{w'}, {D'}.{N'}.{y}", d: "{w}, {D}.\u2009–\u2009{w'}, {D'}.{N}.{y}" },
      wMd: { y: "{w}, {d}. {m} {y}\u2009–\u2009{w'}, {d'}. {m'} {y'}", d: "{w}, {d}.\u2009–\u2009{w'}, {d'}. {m}" },
      wyMd: { M: "{w}, {d}. {m}\u2009–\u2009{w'}, {d'}. {m'} {y}", d: "{w}, {d}.\u2009–\u2009{w'}, {d'}. {m} {y}" },
    },
    timeRange: "–", hourRange: " Uhr",
    at: " um ", weekdayTime: ", ", hourCycle: "h23", am: "AM", pm: "PM", hourOnly: " Uhr",
    zones: { EST: "Nordamerikanische Ostküsten-Normalzeit", EDT: "Nordamerikanische Ostküsten-Sommerzeit", CST: "Nordamerikanische Zentral-Normalzeit", CDT: "Nordamerikanische Zentral-Sommerzeit", MST: "Rocky-Mountains-Normalzeit", MDT: "Rocky-Mountains-Sommerzeit", PST: "Nordamerikanische Westküsten-Normalzeit", PDT: "Nordamerikanische Westküsten-Sommerzeit", GMT: "Mittlere Greenwich-Zeit", BST: "Britische Sommerzeit", CET: "Mitteleuropäische Normalzeit", CEST: "Mitteleuropäische Sommerzeit", EET: "Osteuropäische Normalzeit", EEST: "Osteuropäische Sommerzeit", UTC: "Koordinierte Weltzeit", IST: "Indische Normalzeit", JST: "Japanische Normalzeit" },
    shortZones: { Europe: "CET=MEZ,CEST=MESZ,EET=OEZ,EEST=OESZ,WET=WEZ,WEST=WESZ" },
    relative: {
      past: "vor {0}", future: "in {0}",
      short: { second: " Sek.", minute: " Min.", hour: " Std.", quarter: " Quart." },
      narrow: { second: " s", minute: " m", hour: " Std.", week: " Wo.", quarter: " Q" },
      long: (u) => ({ second: " Sekunde| Sekunden", minute: " Minute| Minuten", hour: " Stunde| Stunden", day: " Tag| Tagen", week: " Woche| Wochen", month: " Monat| Monaten", quarter: " Quartal| Quartalen", year: " Jahr| Jahren" })[u],
      auto: (u, n) => ({
        second: { 0: "jetzt" }, minute: { 0: "in dieser Minute" }, hour: { 0: "in dieser Stunde" },
        day: { "-2": "vorgestern", "-1": "gestern", 0: "heute", 1: "morgen", 2: "übermorgen" }, week: { "-1": "letzte Woche", 0: "diese Woche", 1: "nächste Woche" },
        month: { "-1": "letzten Monat", 0: "diesen Monat", 1: "nächsten Monat" }, quarter: { "-1": "letztes Quartal", 0: "dieses Quartal", 1: "nächstes Quartal" },
        year: { "-1": "letztes Jahr", 0: "dieses Jahr", 1: "nächstes Jahr" },
      })[u][n],
    },
  };
  const narrowSymbols = { ...english.symbols, CNY: "¥", CAD: "$", AUD: "$", NZD: "$", MXN: "$", HKD: "$", TWD: "$", SEK: "kr", NOK: "kr", DKK: "kr", PLN: "zł", CZK: "Kč", HUF: "Ft", TRY: "₺", ZAR: "R", SGD: "$", THB: "฿", RUB: "₽", UAH: "₴" };
  // ISO 4217: minor units that are not 2.
  const minorUnits = { BIF: 0, CLP: 0, DJF: 0, GNF: 0, ISK: 0, JPY: 0, KMF: 0, KRW: 0, PYG: 0, RWF: 0, UGX: 0, UYI: 0, VND: 0, VUV: 0, XAF: 0, XOF: 0, XPF: 0, BHD: 3, IQD: 3, JOD: 3, KWD: 3, LYD: 3, OMR: 3, TND: 3 };
  const currencies = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XCG XDR XOF XPF XSU YER ZAR ZMW ZWG ZWL";
  const locales = { "en-US": english, en: english, "en-GB": british, de: german, "de-DE": german };

  const tag = /^([a-z]{2,3}|[a-z]{5,8})(-[a-z]{4})?(-(?:[a-z]{2}|\d{3}))?((?:-(?:[a-z0-9]{5,8}|\d[a-z0-9]{3}))*)((?:-[a-wyz0-9](?:-[a-z0-9]{2,8})+)*)(-x(?:-[a-z0-9]{1,8})+)?$/i;
  function canonical(v) {
    if (v === undefined) return [];
    const list = typeof v === "string" ? [v] : v instanceof Locale ? [v.toString()] : v === null ? (() => { throw new TypeError("Cannot convert undefined or null to object"); })() : Array.from(v);
    const out = [];
    for (const t of list) {
      if (typeof t !== "string" && (typeof t !== "object" || t === null)) throw new TypeError("Language ID should be string or object.");
      const m = tag.exec(String(t));
      if (!m) throw new RangeError("Incorrect locale information provided");
      const name = m[1].toLowerCase() + (m[2] ?? "").replace(/-(.)(.*)/, (_, a, b) => "-" + a.toUpperCase() + b.toLowerCase()) +
        (m[3] ?? "").toUpperCase() + (m[4] + m[5] + (m[6] ?? "")).toLowerCase();
      if (!out.includes(name)) out.push(name);
    }
    return out;
  }
  function lookup(name) {
    for (let t = name.replace(/-[a-z0-9](-.*|$)/, ""); t; t = t.includes("-") ? t.slice(0, t.lastIndexOf("-")) : "") if (locales[t]) return t;
  }
  const resolve = (v) => canonical(v).map(lookup).find(Boolean) ?? "en-US";
  const supported = (C) => put(C, "supportedLocalesOf", (v) => canonical(v).filter(lookup));

  const optionsOf = (o) => {
    if (o === null) throw new TypeError("Cannot convert undefined or null to object");
    return o === undefined ? {} : Object(o);
  };
  function choose(where, o, name, values, fallback) {
    let v = o[name];
    if (v === undefined) return fallback;
    v = String(v);
    if (values && !values.includes(v)) throw new RangeError(`Value ${v} out of range for Intl.${where} options property ${name}`);
    return v;
  }
  function integer(o, name, min, max, fallback) {
    const v = o[name];
    if (v === undefined) return fallback;
    const n = Number(v);
    if (!(n >= min && n <= max)) throw new RangeError(`${name} value is out of range.`);
    return Math.floor(n);
  }
  const form = (forms, one) => {
    const f = forms.split("|");
    return one ? f[0] : f[f.length - 1];
  };
  const text = (parts) => parts.map((p) => p.value).join("");

  // A decimal number is its digits and the place of the point among them.
  function decimalOf(v) {
    if (typeof v === "bigint") {
      const s = (v < 0n ? -v : v).toString();
      return { negative: v < 0n, digits: s === "0" ? "" : s, point: s === "0" ? 0 : s.length };
    }
    if (typeof v === "string" && /^\s*[-+]?(\d+\.?\d*|\.\d+)\s*$/.test(v)) return split(v.trim());
    const n = Number(v);
    if (Number.isNaN(n)) return { nan: true };
    const negative = n < 0 || Object.is(n, -0);
    if (!Number.isFinite(n)) return { negative, infinite: true };
    return { ...split(String(Math.abs(n))), negative };
  }
  function split(s) {
    const [, sign, int, frac = "", exp = "0"] = /^([-+]?)(\d*)\.?(\d*)(?:e([-+]?\d+))?$/.exec(s);
    const all = int + frac, digits = all.replace(/^0+/, "");
    return { negative: sign === "-", digits, point: digits === "" ? 0 : int.length + Number(exp) - (all.length - digits.length) };
  }
  // round keeps so many places behind the point (before it, if negative).
  function round(d, places, mode) {
    let { digits, point } = d;
    let at = point + places;
    if (at >= digits.length) return d;
    if (at < 0) {
      digits = "0".repeat(-at) + digits;
      point -= at;
      at = 0;
    }
    const rest = digits.slice(at), exact = !/[1-9]/.test(rest);
    const half = rest[0] === "5" && !/[1-9]/.test(rest.slice(1)), above = rest[0] >= "5" && !half;
    let kept = digits.slice(0, at);
    const up = !exact && {
      ceil: !d.negative, floor: d.negative, expand: true, trunc: false, halfCeil: above || (half && !d.negative), halfFloor: above || (half && d.negative),
      halfExpand: above || half, halfTrunc: above, halfEven: above || (half && Number(kept.slice(-1)) % 2 === 1),
    }[mode];
    if (up) {
      const carried = (BigInt("1" + kept) + 1n).toString(); // the 1 keeps leading zeros
      kept = carried[0] === "2" ? "1" + carried.slice(1) : carried.slice(1);
      if (carried[0] === "2") point++;
    }
    const lead = /^0*/.exec(kept)[0].length;
    kept = kept.slice(lead);
    return { ...d, digits: kept, point: kept === "" ? 0 : point - lead };
  }

  const modes = ["ceil", "floor", "expand", "trunc", "halfCeil", "halfFloor", "halfExpand", "halfTrunc", "halfEven"];
  class NumberFormat {
    #o;
    #data;
    #format;
    constructor(tags, given) {
      const where = "NumberFormat", o = optionsOf(given);
      const locale = resolve(tags), r = { locale, numberingSystem: "latn" };
      this.#data = locales[locale];
      r.style = choose(where, o, "style", ["decimal", "percent", "currency", "unit"], "decimal");
      const currency = choose(where, o, "currency"), unit = choose(where, o, "unit");
      if (currency !== undefined && !/^[a-z]{3}$/i.test(currency)) throw new RangeError("Invalid currency code : " + currency);
      if (r.style === "currency") {
        if (currency === undefined) throw new TypeError("Currency code is required with currency style.");
        r.currency = currency.toUpperCase();
        r.currencyDisplay = choose(where, o, "currencyDisplay", ["code", "symbol", "narrowSymbol", "name"], "symbol");
        r.currencySign = choose(where, o, "currencySign", ["standard", "accounting"], "standard");
      }
      if (r.style === "unit") {
        if (unit === undefined) throw new TypeError("Unit is required with unit style.");
        if (!english.units[unit]) throw new RangeError(`Invalid unit argument for Intl.NumberFormat() '${unit}': here there are ${Object.keys(english.units).join(", ")}`);
        r.unit = unit;
        r.unitDisplay = choose(where, o, "unitDisplay", ["short", "narrow", "long"], "short");
      }
      const notation = choose(where, o, "notation", ["standard", "scientific", "engineering", "compact"], "standard");
      const compactDisplay = choose(where, o, "compactDisplay", ["short", "long"], "short");
      const minor = r.style === "currency" && notation === "standard" ? minorUnits[r.currency] ?? 2 : 0;
      r.minimumIntegerDigits = integer(o, "minimumIntegerDigits", 1, 21, 1);
      const minS = integer(o, "minimumSignificantDigits", 1, 21), maxS = integer(o, "maximumSignificantDigits", minS ?? 1, 21);
      if (minS !== undefined || maxS !== undefined) {
        r.minimumSignificantDigits = minS ?? 1;
        r.maximumSignificantDigits = maxS ?? 21;
      } else {
        let min = integer(o, "minimumFractionDigits", 0, 100), max = integer(o, "maximumFractionDigits", 0, 100);
        if (notation === "compact" && min === undefined && max === undefined) {
          r.minimumFractionDigits = r.maximumFractionDigits = 0;
          r.minimumSignificantDigits = 1;
          r.maximumSignificantDigits = 2;
        } else {
          if (min !== undefined && max !== undefined && min > max) throw new RangeError("maximumFractionDigits value is out of range.");
          const usual = r.style === "currency" ? minor : r.style === "percent" || notation === "compact" ? 0 : 3;
          r.minimumFractionDigits = min ?? Math.min(minor, max ?? minor);
          r.maximumFractionDigits = max ?? Math.max(usual, r.minimumFractionDigits);
        }
      }
      const g = o.useGrouping;
      r.useGrouping = g === undefined || g === "true" || g === "false" ? (notation === "compact" ? "min2" : "auto")
        : g === true ? "always" : !g ? false : choose(where, o, "useGrouping", ["min2", "auto", "always"]);
      r.notation = notation;
      if (notation === "compact") r.compactDisplay = compactDisplay;
      r.signDisplay = choose(where, o, "signDisplay", ["auto", "never", "always", "exceptZero", "negative"], "auto");
      r.roundingMode = choose(where, o, "roundingMode", modes, "halfExpand");
      r.roundingIncrement = 1;
      r.trailingZeroDisplay = choose(where, o, "trailingZeroDisplay", ["auto", "stripIfInteger"], "auto");
      r.roundingPriority = r.maximumSignificantDigits !== undefined && r.maximumFractionDigits !== undefined ? "morePrecision" : "auto";
      this.#o = r;
    }
    get format() {
      return (this.#format ??= (v) => text(this.formatToParts(v)));
    }
    resolvedOptions() {
      return { ...this.#o };
    }
    formatRange(a, b) {
      if (a === undefined || b === undefined) throw new TypeError("start or end is undefined");
      const x = this.format(a), y = this.format(b);
      return x === y ? "~" + x : x + "–" + y;
    }
    formatToParts(v) {
      const o = this.#o, L = this.#data;
      if (typeof v !== "bigint" && typeof v !== "string") v = Number(v);
      let d = decimalOf(v);
      const parts = [];
      let one = false;
      if (d.nan) parts.push({ type: "nan", value: "NaN" });
      else if (d.infinite) parts.push({ type: "infinity", value: "∞" });
      else {
        if (o.style === "percent" && d.digits !== "") d = { ...d, point: d.point + 2 };
        let exponent = 0;
        [d, exponent] = this.#scaled(d);
        parts.push(...this.#digits(d));
        one = text(parts) === "1";
        if (o.notation === "compact" && exponent) {
          const suffix = form(L.compact[o.compactDisplay][exponent], one), space = /^\s/.exec(suffix)?.[0];
          if (space) parts.push({ type: "literal", value: space });
          parts.push({ type: "compact", value: suffix.trim() });
        } else if (o.notation === "scientific" || o.notation === "engineering") {
          parts.push({ type: "exponentSeparator", value: "E" });
          if (exponent < 0) parts.push({ type: "exponentMinusSign", value: "-" });
          parts.push({ type: "exponentInteger", value: String(Math.abs(exponent)) });
        }
      }
      return this.#dressed(parts, d, one);
    }
    // The number that is shown, rounded, and the power of ten that it stands for.
    #scaled(d) {
      const { notation, compactDisplay } = this.#o;
      const scale = (e) => this.#rounded(d.digits === "" ? d : { ...d, point: d.point - e });
      if (notation === "standard" || d.digits === "") return [this.#rounded(d), 0];
      const exponentOf = (size) => {
        if (notation === "scientific") return size;
        if (notation === "engineering") return Math.floor(size / 3) * 3;
        return Object.keys(this.#data.compact[compactDisplay]).map(Number).reduce((a, e) => (e <= size ? e : a), 0);
      };
      const e = exponentOf(d.point - 1), r = scale(e);
      const again = exponentOf(r.point - 1 + e);
      return again === e ? [r, e] : [scale(again), again];
    }
    #rounded(d) {
      const o = this.#o, sig = o.maximumSignificantDigits, frac = o.maximumFractionDigits;
      const places = sig === undefined ? frac : frac === undefined ? sig - d.point : Math.max(frac, sig - d.point);
      const r = d.digits === "" ? d : round(d, places, o.roundingMode);
      let min = sig === undefined ? o.minimumFractionDigits : frac === undefined ? o.minimumSignificantDigits - (r.digits === "" ? 1 : r.point) : 0;
      const have = Math.max(0, r.digits.replace(/0+$/, "").length - r.point);
      if (o.trailingZeroDisplay === "stripIfInteger" && have === 0) min = 0;
      return { ...r, fraction: Math.max(have, min, 0) };
    }
    #digits(d) {
      const o = this.#o, L = this.#data;
      const int = (d.point > 0 ? d.digits.slice(0, d.point).padEnd(d.point, "0") : "0").padStart(o.minimumIntegerDigits, "0");
      const frac = ("0".repeat(Math.max(0, -d.point)) + d.digits.slice(Math.max(0, d.point))).replace(/0+$/, "").padEnd(d.fraction, "0");
      const parts = [];
      const grouped = o.useGrouping && o.notation !== "scientific" && o.notation !== "engineering" && int.length > (o.useGrouping === "min2" ? 4 : 3);
      for (let k = 0; k < int.length; ) {
        const end = grouped ? k + ((int.length - k) % 3 || 3) : int.length;
        if (k > 0) parts.push({ type: "group", value: L.group });
        parts.push({ type: "integer", value: int.slice(k, end) });
        k = end;
      }
      if (frac) parts.push({ type: "decimal", value: L.decimal }, { type: "fraction", value: frac });
      return parts;
    }
    #dressed(parts, d, one) {
      const o = this.#o, L = this.#data;
      const zero = !d.nan && !d.infinite && d.digits === "";
      const negative = !!d.negative && !d.nan;
      const sign = { auto: negative ? "-" : "", never: "", always: negative ? "-" : "+", exceptZero: zero || d.nan ? "" : negative ? "-" : "+", negative: negative && !zero ? "-" : "" }[o.signDisplay];
      const push = (type, value, first) => parts[first ? "unshift" : "push"]({ type, value });
      const after = (type, value) => {
        const space = /^\s/.exec(value)?.[0];
        if (space) push("literal", space);
        push(type, space ? value.slice(1) : value);
      };
      if (o.style === "percent") after("percentSign", L.percent);
      if (o.style === "unit") after("unit", form(L.units[o.unit].split(";")[{ long: 0, short: 1, narrow: 2 }[o.unitDisplay]], one));
      if (o.style === "currency") {
        const symbol = o.currencyDisplay === "code" ? o.currency
          : o.currencyDisplay === "name" ? form(L.currencies[o.currency] ?? o.currency, one)
          : (o.currencyDisplay === "narrowSymbol" ? narrowSymbols : L.symbols)[o.currency] ?? o.currency;
        if (o.currencyDisplay === "name") after("currency", " " + symbol);
        else if (!L.currencyFirst) after("currency", "\u00a0" + symbol);
        else {
          if (/[a-z]$/i.test(symbol)) push("literal", "\u00a0", true);
          push("currency", symbol, true);
          if (o.currencySign === "accounting" && sign === "-") {
            push("literal", "(", true);
            push("literal", ")");
            return parts;
          }
        }
      }
      if (sign) push(sign === "-" ? "minusSign" : "plusSign", sign, true);
      return parts;
    }
  }

  class PluralRules {
    #o;
    #numbers;
    constructor(tags, given) {
      const o = optionsOf(given), locale = resolve(tags);
      const type = choose("PluralRules", o, "type", ["cardinal", "ordinal"], "cardinal");
      const digits = {};
      for (const k of ["minimumIntegerDigits", "minimumFractionDigits", "maximumFractionDigits", "minimumSignificantDigits", "maximumSignificantDigits"]) if (o[k] !== undefined) digits[k] = o[k];
      this.#numbers = new NumberFormat("en", { ...digits, useGrouping: false });
      const r = this.#numbers.resolvedOptions();
      this.#o = { locale, type };
      for (const k of ["minimumIntegerDigits", "minimumFractionDigits", "maximumFractionDigits", "minimumSignificantDigits", "maximumSignificantDigits"]) if (r[k] !== undefined) this.#o[k] = r[k];
      this.#o.pluralCategories = type === "cardinal" ? ["one", "other"] : locale.startsWith("de") ? ["other"] : ["few", "one", "two", "other"];
    }
    select(v) {
      const { type, locale } = this.#o, s = this.#numbers.format(Number(v)).replace("-", "");
      if (type === "cardinal") return s === "1" ? "one" : "other";
      if (locale.startsWith("de") || !/^\d+$/.test(s) || /1[123]$/.test(s)) return "other";
      return { 1: "one", 2: "two", 3: "few" }[s.slice(-1)] ?? "other";
    }
    resolvedOptions() {
      return { ...this.#o, pluralCategories: [...this.#o.pluralCategories] };
    }
  }

  const pad = (n, width = 2) => String(n).padStart(width, "0");
  const fieldNames = ["weekday", "year", "month", "day", "hour", "minute", "second"];
  class DateTimeFormat {
    #o;
    #data;
    #fields;
    #at = false;
    #format;
    constructor(tags, given, required = "any", defaults = "date") {
      const where = "DateTimeFormat", o = optionsOf(given), locale = resolve(tags), L = locales[locale];
      this.#data = L;
      const hour12 = o.hour12 === undefined ? undefined : Boolean(o.hour12);
      let cycle = choose(where, o, "hourCycle", ["h11", "h12", "h23", "h24"]);
      if (hour12 !== undefined) cycle = hour12 ? "h12" : "h23";
      cycle ??= L.hourCycle;
      let timeZone = "UTC";
      if (o.timeZone !== undefined) {
        timeZone = host.zone(String(o.timeZone));
        if (timeZone === undefined) throw new RangeError("Invalid time zone specified: " + String(o.timeZone));
      }
      const number = ["2-digit", "numeric"], word = ["narrow", "short", "long"];
      let f = {
        weekday: choose(where, o, "weekday", word), year: choose(where, o, "year", number), month: choose(where, o, "month", [...number, ...word]),
        day: choose(where, o, "day", number), hour: choose(where, o, "hour", number), minute: choose(where, o, "minute", number), second: choose(where, o, "second", number),
        fractionalSecondDigits: integer(o, "fractionalSecondDigits", 1, 3),
        timeZoneName: choose(where, o, "timeZoneName", ["short", "long", "shortOffset", "longOffset", "shortGeneric", "longGeneric"]),
      };
      const style = ["full", "long", "medium", "short"];
      const dateStyle = choose(where, o, "dateStyle", style), timeStyle = choose(where, o, "timeStyle", style);
      this.#o = { locale, calendar: "gregory", numberingSystem: "latn", timeZone };
      if (dateStyle !== undefined || timeStyle !== undefined) {
        for (const k of Object.keys(f)) if (f[k] !== undefined) throw new TypeError(`Can't set option ${k} when ${dateStyle !== undefined ? "dateStyle" : "timeStyle"} is used`);
        if ((required === "date" && timeStyle !== undefined) || (required === "time" && dateStyle !== undefined)) throw new TypeError("Invalid option : " + (required === "date" ? "timeStyle" : "dateStyle"));
        f = this.#styled(dateStyle, timeStyle);
      } else {
        const has = (...names) => names.some((n) => f[n] !== undefined);
        const needed = (required !== "time" && has("weekday", "year", "month", "day")) || (required !== "date" && has("hour", "minute", "second", "fractionalSecondDigits"));
        if (!needed) {
          if (defaults !== "time") f.year = f.month = f.day = "numeric";
          if (defaults !== "date") f.hour = f.minute = f.second = "numeric";
        }
        this.#at = f.month === "long";
      }
      if (f.hour !== undefined) {
        this.#o.hourCycle = cycle;
        this.#o.hour12 = cycle === "h11" || cycle === "h12";
        const asGiven = L.hourCycle === "h23" && f.minute === "2-digit" && f.second !== "numeric" && !f.fractionalSecondDigits && !f.timeZoneName && (!f.weekday || f.day);
        if (!this.#o.hour12 && !asGiven) f.hour = "2-digit";
      }
      if (f.fractionalSecondDigits && (f.hour ?? f.minute) !== undefined) f.second ??= "2-digit";
      if (f.minute !== undefined && (f.hour ?? f.second) !== undefined) f.minute = "2-digit";
      if (f.second !== undefined && f.minute !== undefined) f.second = "2-digit";
      if (f.hour !== undefined && f.second !== undefined) f.minute ??= "2-digit";
      this.#fields = this.#regional(f);
      for (const k of [...fieldNames, "fractionalSecondDigits", "timeZoneName"]) if (f[k] !== undefined && dateStyle === undefined && timeStyle === undefined) this.#o[k] = this.#fields[k];
      if (dateStyle !== undefined) this.#o.dateStyle = dateStyle;
      if (timeStyle !== undefined) this.#o.timeStyle = timeStyle;
    }
    #styled(date, time) {
      const f = {};
      if (date) {
        const [pattern, over] = [this.#data.styles[date]].flat();
        if (pattern.includes("w")) f.weekday = "long";
        Object.assign(f, { year: "numeric", month: pattern.includes("M") ? "long" : "numeric", day: "numeric" }, over);
        this.#at = date === "full" || date === "long";
      }
      if (time) {
        f.hour = f.minute = "numeric";
        if (time !== "short") f.second = "numeric";
        if (time === "full" || time === "long") f.timeZoneName = time === "full" ? "long" : "short";
      }
      return f;
    }
    // What a locale makes of numeric days and months.
    #regional(f) {
      const numeric = f.month === "numeric" || f.month === "2-digit";
      f = { ...f };
      if (this.#data.paddedDates && numeric && f.month === "numeric" && (f.day ? f.day === "numeric" : f.year)) {
        f.month = "2-digit";
        if (f.day) f.day = "2-digit";
      }
      if (this.#data === german && f.month === "2-digit" && f.day && !f.year && !f.weekday) f.day = "2-digit";
      return f;
    }
    get format() {
      return (this.#format ??= (v) => text(this.formatToParts(v)));
    }
    resolvedOptions() {
      return { ...this.#o };
    }
    formatRange(a, b) {
      return text(this.formatRangeToParts(a, b));
    }
    formatRangeToParts(a, b) {
      if (a === undefined || b === undefined) throw new TypeError("startDate or endDate cannot be undefined");
      const parts = this.#range(a, b), isRange = parts.some((p) => p.source !== "shared");
      return parts.map((p, k) => {
        if (isRange && p.type === "literal" && p.value === " " && parts[k + 1]?.type === "dayPeriod") return { ...p, value: "\u202f" };
        if (isRange && this.#data === english && !this.#fields.hour && (p.type === "month" || p.type === "day")) return { ...p, value: p.value.replace(/^0/, "") };
        return p.type === "hour" && isRange && !this.#o.hour12 ? { ...p, value: pad(p.value) } : p;
      });
    }
    #range(a, b) {
      const f = this.#fields, whole = [this.formatToParts(a), this.formatToParts(b)];
      const from = (parts, source) => parts.map((p) => ({ ...p, source }));
      const sides = ([x, y], between = " – ") => [...from(x, "startRange"), { type: "literal", value: between, source: "shared" }, ...from(y, "endRange")];

      const times = [this.#local(a), this.#local(b)];
      const fieldOf = { y: "getUTCFullYear", M: "getUTCMonth", d: "getUTCDate" };
      const greatest = Object.keys(fieldOf).find((k) => times[0][fieldOf[k]]() !== times[1][fieldOf[k]]());
      const hasTime = f.hour || f.minute || f.second || f.fractionalSecondDigits, hasDate = f.year || f.month || f.day;
      if (text(whole[0]) === text(whole[1]) && !(greatest && hasTime && !hasDate)) return from(whole[0], "shared");
      if (!hasTime) {
        const key = this.#dateKey(), L = this.#data;
        const pattern = (f.weekday === "long" ? L.longRanges?.[key] : undefined)?.[greatest] ?? L.ranges[key]?.[greatest];
        return pattern ? this.#dateRange(pattern, times) : sides(whole);
      }
      if (greatest) {
        if (hasDate) return sides(whole);
        const more = { year: "numeric", month: "numeric", day: "numeric" };
        const wanted = !f.weekday || greatest === "y" ? more : greatest === "M" ? { month: "numeric", day: "numeric" } : { day: "numeric" };
        const { weekday, hour, minute, second, fractionalSecondDigits, timeZoneName } = f, { timeZone, hourCycle, locale } = this.#o;
        const full = new DateTimeFormat(locale, { weekday, hour, minute, second, fractionalSecondDigits, timeZoneName, timeZone, hourCycle, ...wanted });
        return sides([full.formatToParts(a), full.formatToParts(b)]);
      }

      // Of one day only the time is a range, of half a day not its half.
      const L = this.#data, alone = f.weekday === "short" && L.daysAlone;
      const date = this.#date(times[0]).map((p) => (alone && p.type === "weekday" ? { ...p, value: alone[times[0].getUTCDay()] } : p)), short = f.hour && !f.second && !f.fractionalSecondDigits;
      let [x, y] = times.map((t) => this.#time(t));
      const tail = [];
      if (short && this.#o.hour12 && x[x.length - 1].value === y[y.length - 1].value) x = x.slice(0, -2);
      else if (short && !this.#o.hour12 && L.hourRange) {
        [x, y] = [x, y].map((parts) => parts.filter((p) => p.value !== L.hourRange));
        tail.push({ type: "literal", value: L.hourRange });
      }
      if (f.timeZoneName) tail.push({ type: "literal", value: " " }, { type: "timeZoneName", value: this.#zone(host.offset(this.#o.timeZone, Math.floor(Number(a)))) });
      const between = short && !this.#o.hour12 ? L.timeRange : undefined;
      return [...from(date.length ? [...date, { type: "literal", value: ", " }] : [], "shared"), ...sides([x, y], between), ...from(tail, "shared")];
    }
    // The two dates by a pattern, in which the fields of the second have a prime.
    #dateRange(pattern, [a, b]) {
      const pieces = pattern.split(/(\{\w'?\})/).filter(Boolean);
      const sourceOf = (piece) => (piece.endsWith("'}") ? "endRange" : pieces.includes(piece.replace("}", "'}")) ? "startRange" : "shared");
      const fields = pieces.map((piece) => (piece[0] === "{" ? sourceOf(piece) : undefined));
      return pieces.map((piece, k) => {
        if (piece[0] !== "{") return { type: "literal", value: piece, source: fields[k - 1] === fields[k + 1] && fields[k - 1] !== undefined ? fields[k - 1] : "shared" };
        const [type, value] = this.#value(piece[1], piece.endsWith("'}") ? b : a);
        return { type, value, source: fields[k] };
      });
    }
    #local(v) {
      const ms = Number(v);
      if (!(Math.abs(ms) <= 8.64e15)) throw new RangeError("Invalid time value");
      return new Date(Math.floor(ms) + host.offset(this.#o.timeZone, Math.floor(ms)).seconds * 1000);
    }
    #dateKey() {
      const f = this.#fields, words = f.month === "long" || f.month === "short" || f.month === "narrow";
      return (f.weekday ? "w" : "") + (f.year ? "y" : "") + (f.month ? (words ? "M" : "m") : "") + (f.day ? "d" : "");
    }
    formatToParts(v) {
      const ms = v === undefined ? Date.now() : Number(v);
      if (!(Math.abs(ms) <= 8.64e15)) throw new RangeError("Invalid time value");
      const L = this.#data, f = this.#fields;
      const at = host.offset(this.#o.timeZone, Math.floor(ms));
      const t = new Date(Math.floor(ms) + at.seconds * 1000);
      const date = this.#date(t), time = this.#time(t);
      if (f.timeZoneName) {
        if (time.length) time.push({ type: "literal", value: " " });
        time.push({ type: "timeZoneName", value: this.#zone(at) });
      }
      if (date.length && time.length) {
        const onlyWeekday = date.length === 1 && f.weekday && f.hour;
        date.push({ type: "literal", value: this.#at ? L.at : onlyWeekday ? L.weekdayTime : ", " });
      }
      return [...date, ...time];
    }
    // A field of a date and how it is shown; one that was not asked for is a number. D and N are a day and a month in
    // two digits.
    #value(letter, t) {
      const L = this.#data, f = this.#fields, key = this.#dateKey(), others = key.length > 1;
      const short = (full, shorts, alone, isAlone, style, k) => (style === "long" ? full[k] : style === "narrow" ? full[k][0] : ((isAlone && alone) || shorts)[k]);
      switch (letter) {
        case "w":
          return ["weekday", short(L.days, L.daysShort, L.daysAlone, !f.day && (others || !f.hour), f.weekday, t.getUTCDay())];
        case "y": {
          let year = t.getUTCFullYear();
          if (year <= 0) year = 1 - year; // the era is not shown
          return ["year", f.year === "2-digit" ? pad(year % 100) : String(year)];
        }
        case "D":
          return ["day", pad(t.getUTCDate())];
        case "N":
          return ["month", pad(t.getUTCMonth() + 1)];
        case "m": {
          const m = t.getUTCMonth();
          if (key.includes("M")) return ["month", short(L.months, L.monthsShort, L.monthsAlone, !f.day && !f.year, f.month, m)];
          return ["month", f.month === "2-digit" ? pad(m + 1) : String(m + 1)];
        }
        default: {
          const d = t.getUTCDate();
          return ["day", f.day === "2-digit" ? pad(d) : String(d)];
        }
      }
    }
    #date(t) {
      const key = this.#dateKey(), parts = [];
      for (const piece of (key === "" ? "" : key.length > 1 ? this.#data.dates[key] : `{${key.toLowerCase()}}`).split(/(\{\w\})/)) {
        if (piece === "") continue;
        const [type, value] = piece[0] === "{" ? this.#value(piece[1], t) : ["literal", piece];
        parts.push({ type, value });
      }
      return parts;
    }
    #time(t) {
      const L = this.#data, f = this.#fields, parts = [], cycle = this.#o.hourCycle;
      const lit = (value) => parts.push({ type: "literal", value });
      if (f.hour) {
        const h = t.getUTCHours();
        const shown = { h11: h % 12, h12: h % 12 || 12, h23: h, h24: h || 24 }[cycle];
        parts.push({ type: "hour", value: f.hour === "2-digit" ? pad(shown) : String(shown) });
      }
      const two = (field, n) => {
        if (!f[field]) return;
        if (parts.length) lit(":");
        parts.push({ type: field, value: parts.length || f.minute && f.second ? pad(n) : String(n) });
      };
      two("minute", t.getUTCMinutes());
      two("second", t.getUTCSeconds());
      if (f.fractionalSecondDigits) {
        if (f.second) lit(L.decimal);
        parts.push({ type: "fractionalSecond", value: pad(t.getUTCMilliseconds(), 3).slice(0, f.fractionalSecondDigits) });
      }
      if (f.hour && this.#o.hour12) {
        lit(" ");
        parts.push({ type: "dayPeriod", value: t.getUTCHours() < 12 ? L.am : L.pm });
      } else if (f.hour && !f.minute && L.hourOnly) lit(L.hourOnly);
      return parts;
    }
    #zone(at) {
      const L = this.#data, style = this.#fields.timeZoneName, zone = this.#o.timeZone;
      const name = zone === "UTC" ? "UTC" : at.name;
      const offset = (long) => {
        const s = Math.abs(at.seconds), h = Math.floor(s / 3600), m = Math.floor((s % 3600) / 60);
        return "GMT" + (at.seconds < 0 ? "-" : "+") + (long ? pad(h) + ":" + pad(m) : h + (m ? ":" + pad(m) : ""));
      };
      if (style === "long") return L.zones[name] ?? offset(true);
      if (style === "short") {
        if (zone === "UTC") return "UTC";
        const known = (L.shortZones[zone.split("/")[0]] ?? "").split(",").map((e) => e.split("=")).find((e) => e[0] === name);
        return known ? known[known.length - 1] : offset(false);
      }
      return offset(style === "longOffset" || style === "longGeneric");
    }
  }

  const relativeUnits = ["second", "minute", "hour", "day", "week", "month", "quarter", "year"];
  class RelativeTimeFormat {
    #o;
    #numbers;
    constructor(tags, given) {
      const o = optionsOf(given), locale = resolve(tags);
      this.#o = { locale, style: choose("RelativeTimeFormat", o, "style", ["long", "short", "narrow"], "long"),
        numeric: choose("RelativeTimeFormat", o, "numeric", ["always", "auto"], "always"), numberingSystem: "latn" };
      this.#numbers = new NumberFormat(locale);
    }
    resolvedOptions() {
      return { ...this.#o };
    }
    format(v, unit) {
      return text(this.formatToParts(v, unit));
    }
    formatToParts(v, unit) {
      const n = Number(v), u = String(unit).replace(/s$/, "");
      if (!relativeUnits.includes(u)) throw new RangeError(`Invalid unit argument for Intl.RelativeTimeFormat.prototype.format() '${unit}'`);
      if (!Number.isFinite(n)) throw new RangeError("The value need to be finite number for Intl.RelativeTimeFormat.prototype.format()");
      const R = locales[this.#o.locale].relative, { style, numeric } = this.#o;
      const word = numeric === "auto" ? R.auto(u, n) : undefined;
      if (word !== undefined) return [{ type: "literal", value: word }];
      const back = n < 0 || Object.is(n, -0);
      const forms = (style === "long" ? undefined : R[style][u]) ?? R.long(u);
      const [before, after] = (back ? R.past : R.future).split("{0}");
      const number = this.#numbers.formatToParts(Math.abs(n)).map((p) => ({ ...p, unit: u }));
      const tail = form(forms, Math.abs(n) === 1) + after;
      return [...(before ? [{ type: "literal", value: before }] : []), ...number, { type: "literal", value: tail }];
    }
  }

  class ListFormat {
    #o;
    constructor(tags, given) {
      const o = optionsOf(given);
      this.#o = { locale: resolve(tags), type: choose("ListFormat", o, "type", ["conjunction", "disjunction", "unit"], "conjunction"), style: choose("ListFormat", o, "style", ["long", "short", "narrow"], "long") };
    }
    resolvedOptions() {
      return { ...this.#o };
    }
    format(list) {
      return text(this.formatToParts(list));
    }
    formatToParts(list) {
      const items = list === undefined ? [] : [...list], { locale, type, style } = this.#o, L = locales[locale];
      for (const v of items) if (typeof v !== "string") throw new TypeError("Iterable yielded " + String(v) + " which is not a string");
      const comma = type === "unit" && style === "narrow" && L !== german ? " " : ", ";
      let last = type === "unit" ? comma : type === "disjunction" ? L.or : L.and[style];
      if (type === "unit" && items.length > 2 && L.unitAnd) last = L.unitAnd;
      if (items.length > 2 && L.serial && last !== comma) last = "," + last;
      return items.flatMap((value, k) => [
        ...(k === 0 ? [] : [{ type: "literal", value: k === items.length - 1 ? last : comma }]), { type: "element", value }]);
    }
  }

  class Collator {
    #o;
    #compare;
    constructor(tags, given) {
      const o = optionsOf(given);
      this.#o = { locale: resolve(tags), usage: choose("Collator", o, "usage", ["sort", "search"], "sort"),
        sensitivity: choose("Collator", o, "sensitivity", ["base", "accent", "case", "variant"], "variant"),
        ignorePunctuation: Boolean(o.ignorePunctuation), collation: this.#collation(tags, o), numeric: Boolean(o.numeric), caseFirst: choose("Collator", o, "caseFirst", ["upper", "lower", "false"], "false") };
    }
    // German alone has another order: that of telephone books.
    #collation(tags, o) {
      const german = resolve(tags).startsWith("de");
      const wanted = o.collation === undefined ? canonical(tags).map((t) => /-u-(?:.+-)?co-([a-z]+)/.exec(t)?.[1])[0] : String(o.collation);
      return german && wanted === "phonebk" ? wanted : "default";
    }
    get compare() {
      if (!this.#compare) {
        const native = host.collator(this.#o.collation === "default" ? this.#o.locale : `${this.#o.locale}-u-co-${this.#o.collation}`, this.#o.sensitivity, this.#o.numeric);
        this.#compare = (a, b) => native(String(a), String(b));
      }
      return this.#compare;
    }
    resolvedOptions() {
      return { ...this.#o };
    }
  }

  class Segmenter {
    #o;
    constructor(tags, given) {
      const o = optionsOf(given);
      choose("Segmenter", o, "localeMatcher", ["lookup", "best fit"]);
      this.#o = { locale: resolve(tags), granularity: choose("Segmenter", o, "granularity", ["grapheme", "word", "sentence"], "grapheme") };
    }
    segment(v) {
      return new Segments(String(v), this.#o.granularity);
    }
    resolvedOptions() {
      return { ...this.#o };
    }
  }
  // What segment returns. Its class has no name in the global scope.
  class Segments {
    #text;
    #ends;
    #wordLike;
    constructor(text, granularity) {
      this.#text = text;
      [this.#ends, this.#wordLike] = host.segment(text, granularity);
      if (granularity !== "word") this.#wordLike = undefined;
    }
    #at(k) {
      const index = k === 0 ? 0 : this.#ends[k - 1];
      const found = { segment: this.#text.slice(index, this.#ends[k]), index, input: this.#text };
      if (this.#wordLike) found.isWordLike = this.#wordLike[k];
      return found;
    }
    containing(v) {
      const n = Math.trunc(Number(v)) || 0;
      if (n < 0 || n >= this.#text.length) return undefined;
      let low = 0, high = this.#ends.length - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (this.#ends[middle] > n) high = middle;
        else low = middle + 1;
      }
      return this.#at(low);
    }
    [Symbol.iterator]() {
      let k = 0;
      return Object.setPrototypeOf({ next: () => (k < this.#ends.length ? { value: this.#at(k++), done: false } : { value: undefined, done: true }) }, SegmentIterator);
    }
  }
  delete Segments.prototype.constructor;
  const SegmentIterator = Object.create(Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())), { [Symbol.toStringTag]: { value: "Segmenter String Iterator", configurable: true } });

  class Locale {
    #tag;
    #keywords = {};
    #rest;
    constructor(given, options) {
      if (typeof given !== "string" && (typeof given !== "object" || given === null)) throw new TypeError("First argument to Intl.Locale constructor can't be empty or missing");
      const o = optionsOf(options), m = tag.exec(canonical(given instanceof Locale ? given.toString() : [String(given)])[0]);
      const part = (name, pattern, now) => {
        const v = o[name];
        if (v === undefined) return now;
        if (!pattern.test(String(v))) throw new RangeError("Incorrect locale information provided");
        return String(v);
      };
      const language = part("language", /^([a-z]{2,3}|[a-z]{5,8})$/i, m[1]), script = part("script", /^[a-z]{4}$/i, (m[2] ?? "").slice(1)), region = part("region", /^([a-z]{2}|\d{3})$/i, (m[3] ?? "").slice(1));
      this.#tag = { language: language.toLowerCase(), script: script && script[0].toUpperCase() + script.slice(1).toLowerCase(), region: region.toUpperCase(), variants: m[4] };

      const [, unicode = ""] = /-u((?:-[a-z0-9]{2,8})+)/.exec(m[5]) ?? [];
      this.#rest = [m[5].replace(/-u(-[a-z0-9]{2,8})+/, ""), m[6] ?? ""];
      let key;
      for (const word of unicode.split("-").filter(Boolean)) {
        if (word.length === 2) this.#keywords[(key = word)] ??= "";
        else if (key) this.#keywords[key] += (this.#keywords[key] ? "-" : "") + word;
      }
      const keyword = (name, key, pattern) => {
        let v = o[name];
        if (v === undefined) return;
        v = String(v);
        if (Array.isArray(pattern) ? !pattern.includes(v) : !pattern.test(v)) throw new RangeError(Array.isArray(pattern) ? `Value ${v} out of range for Intl.Locale options property ${name}` : "Incorrect locale information provided");
        this.#keywords[key] = v.toLowerCase();
      };
      const type = /^[a-z0-9]{3,8}(-[a-z0-9]{3,8})*$/i;
      keyword("calendar", "ca", type);
      keyword("collation", "co", type);
      keyword("hourCycle", "hc", ["h11", "h12", "h23", "h24"]);
      keyword("caseFirst", "kf", ["upper", "lower", "false"]);
      keyword("numberingSystem", "nu", type);
      if (o.numeric !== undefined) this.#keywords.kn = o.numeric ? "" : "false";
      for (const k of Object.keys(this.#keywords)) if (this.#keywords[k] === "true" || this.#keywords[k] === "yes") this.#keywords[k] = "";
    }
    get baseName() {
      const { language, script, region, variants } = this.#tag;
      return language + (script && "-" + script) + (region && "-" + region) + variants;
    }
    get language() { return this.#tag.language; }
    get script() { return this.#tag.script || undefined; }
    get region() { return this.#tag.region || undefined; }
    get calendar() { return this.#keywords.ca; }
    get collation() { return this.#keywords.co; }
    get hourCycle() { return this.#keywords.hc; }
    get caseFirst() { return this.#keywords.kf; }
    get numberingSystem() { return this.#keywords.nu; }
    get numeric() { return this.#keywords.kn === ""; }
    #with({ language, script, region }) {
      return new Locale(language + (script && "-" + script) + (region && "-" + region) + this.#tag.variants + this.#extensions());
    }
    #extensions() {
      const words = Object.keys(this.#keywords).sort().map((k) => "-" + k + (this.#keywords[k] && "-" + this.#keywords[k])).join("");
      const singles = [...(this.#rest[0].match(/-[a-wyz0-9](-[a-z0-9]{2,8})+/g) ?? []), ...(words ? ["-u" + words] : [])].sort();
      return singles.join("") + this.#rest[1];
    }
    maximize() {
      const { language, script, region } = this.#tag, likely = host.likely(language, script, region);
      return likely ? this.#with({ language: likely[0], script: likely[1], region: likely[2] }) : this;
    }
    minimize() {
      const { language, script, region } = this.#tag, whole = host.likely(language, script, region);
      if (!whole) return this;
      const same = (l, s, r) => host.likely(l, s, r)?.join() === whole.join();
      const [l, s, r] = whole;
      if (same(l, "", "")) return this.#with({ language: l, script: "", region: "" });
      if (same(l, "", r)) return this.#with({ language: l, script: "", region: r });
      if (same(l, s, "")) return this.#with({ language: l, script: s, region: "" });
      return this.#with({ language: l, script: s, region: r });
    }
    getCalendars() { return [this.#keywords.ca ?? "gregory"]; }
    getNumberingSystems() { return [this.#keywords.nu ?? "latn"]; }
    getTextInfo() {
      const script = this.maximize().script;
      return { direction: ["Adlm", "Arab", "Hebr", "Nkoo", "Rohg", "Syrc", "Thaa"].includes(script) ? "rtl" : "ltr" };
    }
    toString() {
      return this.baseName + this.#extensions();
    }
  }

  // Fields of dates in the order of their names in display_names.json.
  const dateFields = ["era", "year", "quarter", "month", "weekOfYear", "weekday", "day", "dayPeriod", "hour", "minute", "second", "timeZoneName"];
  class DisplayNames {
    #o;
    constructor(tags, given) {
      if (given === undefined) throw new TypeError("Cannot convert undefined or null to object");
      const where = "DisplayNames", o = optionsOf(given), locale = resolve(tags);
      if (o.type === undefined) throw new TypeError("Required option type must not be undefined");
      this.#o = { locale, style: choose(where, o, "style", ["narrow", "short", "long"], "long"),
        type: choose(where, o, "type", ["language", "region", "script", "currency", "calendar", "dateTimeField"]), fallback: choose(where, o, "fallback", ["code", "none"], "code") };
      const display = choose(where, o, "languageDisplay", ["dialect", "standard"], "dialect");
      if (this.#o.type === "language") this.#o.languageDisplay = display;
    }
    resolvedOptions() {
      return { ...this.#o };
    }
    #name(type, code) {
      const { locale, style } = this.#o;
      const short = style === "long" || type === "calendar" || type === "currency" ? undefined : host.displayName(locale, type + "Short", code);
      return short ?? host.displayName(locale, type, code);
    }
    of(given) {
      let code = String(given);
      const bad = () => { throw new RangeError("Invalid argument to Intl.DisplayNames.prototype.of"); };
      const forms = { region: [/^([a-z]{2}|\d{3})$/i, (c) => c.toUpperCase()], script: [/^[a-z]{4}$/i, (c) => c[0].toUpperCase() + c.slice(1).toLowerCase()],
        currency: [/^[a-z]{3}$/i, (c) => c.toUpperCase()], calendar: [/^[a-z0-9]{3,8}(-[a-z0-9]{3,8})*$/i, (c) => c.toLowerCase()] };
      const { type, fallback, locale, style } = this.#o;
      let name;
      if (type === "dateTimeField") {
        const at = dateFields.indexOf(code);
        if (at < 0) bad();
        return host.displayName(locale, type, style).split("|")[at];
      }
      if (type === "language") {
        if (!/^[a-z0-9-]+$/i.test(code) || !tag.test(code) || /-[a-z0-9](-|$)/i.test(code)) bad();
        code = canonical(code)[0];
        name = this.#language(code);
      } else {
        const [pattern, spelled] = forms[type];
        if (!pattern.test(code)) bad();
        code = spelled(code);
        name = this.#name(type, code);
      }
      return name ?? (fallback === "code" ? code : undefined);
    }
    #language(code) {
      const [, language, script = "", region = "", variants] = tag.exec(code);
      if (variants) return undefined;
      const dialect = this.#o.languageDisplay === "dialect" && (script || region) ? this.#name("language", language + script + region) : undefined;
      if (dialect !== undefined) return dialect;
      const name = this.#name("language", language), left = [];
      if (name === undefined) return undefined;
      if (script) left.push(this.#name("script", script.slice(1)) ?? script.slice(1));
      if (region) left.push(this.#name("region", region.slice(1)) ?? region.slice(1));
      return left.length ? `${name} (${left.join(", ")})` : name;
    }
  }

  const Intl = {};
  Object.defineProperty(Intl, Symbol.toStringTag, { value: "Intl", configurable: true });
  // These are called without new as well.
  const callable = (C) => {
    const f = function (tags, options) { return Reflect.construct(C, [tags, options], new.target ?? f); };
    Object.defineProperty(f, "name", { value: C.name });
    Object.defineProperty(f, "length", { value: 0 });
    f.prototype = C.prototype;
    Object.defineProperty(f, "prototype", { writable: false });
    put(C.prototype, "constructor", f);
    return f;
  };
  const classes = { NumberFormat: callable(NumberFormat), DateTimeFormat: callable(DateTimeFormat), Collator: callable(Collator), PluralRules, RelativeTimeFormat, ListFormat, Segmenter, DisplayNames, Locale };
  for (const [name, C] of Object.entries(classes)) {
    tagOf(C, name);
    if (C !== Locale) supported(C);
    put(Intl, name, C);
  }
  put(Intl, "getCanonicalLocales", { getCanonicalLocales: (v) => canonical(v) }.getCanonicalLocales);
  put(Intl, "supportedValuesOf", (key) => {
    const known = { calendar: ["gregory"], collation: ["phonebk"], numberingSystem: ["latn"], timeZone: host.zones(), currency: currencies.split(" "), unit: Object.keys(english.units).sort() };
    key = String(key);
    if (!Object.hasOwn(known, key)) throw new RangeError("Invalid key : " + key);
    return [...known[key]];
  });

  const thisNumber = Number.prototype.valueOf, thisBigInt = BigInt.prototype.valueOf, thisTime = Date.prototype.getTime;
  put(Number.prototype, "toLocaleString", { toLocaleString(l, o) { return new NumberFormat(l, o).format(thisNumber.call(this)); } }.toLocaleString);
  put(BigInt.prototype, "toLocaleString", { toLocaleString(l, o) { return new NumberFormat(l, o).format(thisBigInt.call(this)); } }.toLocaleString);
  const dated = (name, required, defaults) => put(Date.prototype, name, {
    [name](l, o) {
      const t = thisTime.call(this);
      const f = new DateTimeFormat(l, o, required, defaults);
      return Number.isNaN(t) ? "Invalid Date" : f.format(t);
    },
  }[name]);
  dated("toLocaleString", "any", "all");
  dated("toLocaleDateString", "date", "date");
  dated("toLocaleTimeString", "time", "time");
  const plain = String.prototype.localeCompare;
  put(String.prototype, "localeCompare", { localeCompare(that, l, o) { return l === undefined && o === undefined ? plain.call(this, that) : new Collator(l, o).compare(String(this), String(that)); } }.localeCompare);
  put(Array.prototype, "toLocaleString", { toLocaleString(l, o) { return Array.from(this, (v) => (v === undefined || v === null ? "" : v.toLocaleString(l, o))).join(","); } }.toLocaleString);

  return { intl: Intl, classes: {}, hidden: [Segments.prototype, SegmentIterator] };
})
