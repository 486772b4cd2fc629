// Tells the page that frames this one whether the session goes on (OpenID Connect Session Management 1.0, section 3.3). Plain old
// JavaScript, with a SHA-256 of its own (FIPS 180-4): crypto.subtle is not there everywhere, and answers too late.
(function () {
  var cookie = document.documentElement.getAttribute("data-cookie");

  function browserState() {
    var all = document.cookie.split(";");
    for (var i = 0; i < all.length; i++) {
      var pair = all[i].replace(/^\s+/, "");
      if (pair.indexOf(cookie + "=") === 0) return pair.substring(cookie.length + 1);
    }
    return "";
  }

  function utf8(text) {
    var plain = unescape(encodeURIComponent(text));
    var bytes = [];
    for (var i = 0; i < plain.length; i++) bytes.push(plain.charCodeAt(i));
    return bytes;
  }

  // The first 32 bits of the fractional parts of the roots of the first primes: their cube roots, and their square roots.
  var rounds = [];
  var start = [];
  (function () {
    function fraction(root) {
      return ((root - Math.floor(root)) * 4294967296) | 0;
    }
    for (var number = 2; rounds.length < 64; number++) {
      var prime = true;
      for (var factor = 2; factor * factor <= number; factor++) {
        if (number % factor === 0) prime = false;
      }
      if (prime) {
        if (start.length < 8) start.push(fraction(Math.pow(number, 1 / 2)));
        rounds.push(fraction(Math.pow(number, 1 / 3)));
      }
    }
  })();

  function turn(word, by) {
    return (word >>> by) | (word << (32 - by));
  }

  function sha256(bytes) {
    var bits = bytes.length * 8;
    var hash = start.slice(0);
    var i;
    bytes.push(0x80);
    while (bytes.length % 64 !== 56) bytes.push(0);
    bytes.push(0, 0, 0, 0, bits >>> 24, (bits >>> 16) & 255, (bits >>> 8) & 255, bits & 255);
    for (var block = 0; block < bytes.length; block += 64) {
      var words = [];
      for (i = 0; i < 16; i++) {
        var at = block + i * 4;
        words[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
      }
      for (i = 16; i < 64; i++) {
        var early = words[i - 15];
        var late = words[i - 2];
        var s0 = turn(early, 7) ^ turn(early, 18) ^ (early >>> 3);
        var s1 = turn(late, 17) ^ turn(late, 19) ^ (late >>> 10);
        words[i] = (words[i - 16] + s0 + words[i - 7] + s1) | 0;
      }
      var w = hash.slice(0);
      for (i = 0; i < 64; i++) {
        var big1 = turn(w[4], 6) ^ turn(w[4], 11) ^ turn(w[4], 25);
        var choice = (w[4] & w[5]) ^ (~w[4] & w[6]);
        var one = (w[7] + big1 + choice + rounds[i] + words[i]) | 0;
        var big0 = turn(w[0], 2) ^ turn(w[0], 13) ^ turn(w[0], 22);
        var majority = (w[0] & w[1]) ^ (w[0] & w[2]) ^ (w[1] & w[2]);
        var two = (big0 + majority) | 0;
        w = [(one + two) | 0, w[0], w[1], w[2], (w[3] + one) | 0, w[4], w[5], w[6]];
      }
      for (i = 0; i < 8; i++) hash[i] = (hash[i] + w[i]) | 0;
    }
    var text = "";
    for (i = 0; i < 8; i++) text += ("0000000" + (hash[i] >>> 0).toString(16)).slice(-8);
    return text;
  }

  function judge(said, origin) {
    if (typeof said !== "string") return "error";
    var space = said.lastIndexOf(" ");
    var given = said.substring(space + 1);
    var dot = given.lastIndexOf(".");
    if (space < 1 || dot < 1) return "error";
    var salt = given.substring(dot + 1);
    var asked = said.substring(0, space) + " " + origin + " " + browserState() + " " + salt;
    return sha256(utf8(asked)) + "." + salt === given ? "unchanged" : "changed";
  }

  window.addEventListener("message", function (event) {
    if (event.source) event.source.postMessage(judge(event.data, event.origin), event.origin);
  }, false);
})();
