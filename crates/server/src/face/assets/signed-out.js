// Leads on when the pages in the frames were loaded, or after five seconds. Plain old JavaScript: old browsers sign out, too.
(function () {
  var link = document.getElementById("signed-out-continue");
  var gone = false;
  function go() {
    if (!gone) {
      gone = true;
      window.location.replace(link.href);
    }
  }
  if (link) {
    window.addEventListener("load", go, false);
    window.setTimeout(go, 5000);
  }
})();
