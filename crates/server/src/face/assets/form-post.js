// An answer on its way to another site goes on by itself. Plain old JavaScript: old browsers sign in, too.
document.getElementById("form-post").submit();
