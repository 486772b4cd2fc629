# Every sentence of the pages, in English. The other catalogues hold exactly the same keys.

## Around every page
skip-to-content = Skip to the content
menu = Your menu
menu-people = People
sign-out = Sign out
to-sign-in = Go to sign-in
continue = Continue
copy = Copy
copied = Copied
optional = optional
groups = Groups
groups-none = None
none-given = Not given

## Fields
field-username = User name
field-username-hint = Letters, digits, dots, dashes and underscores.
field-username-or-email = User name or e-mail
field-display-name = Display name
field-email = E-mail
field-verified = verified
detail-given_name = Given name
detail-middle_name = Middle name
detail-family_name = Family name
detail-nickname = Nickname
detail-phone_number = Telephone
detail-street_address = Street and number
detail-locality = Place
detail-region = State or region
detail-postal_code = Postal code
detail-country = Country
detail-profile = Profile page
detail-picture = Picture
detail-website = Website
detail-gender = Gender
detail-birthdate = Date of birth
detail-zoneinfo = Time zone
detail-locale = Language
detail-phone_number-hint = With the country code, such as +49 30 1234567.
detail-web-hint = An address that begins with https://.
detail-gender-hint = In your own word.
detail-birthdate-hint = Such as 1815-12-10; 0000-12-10 leaves the year out, 1815 the day.
detail-zoneinfo-hint = Such as Europe/Berlin.
detail-locale-hint = Such as en-GB or de.
field-password = Password
field-current-password = Current password
field-new-password = New password
field-password-again = New password, once more
field-password-hint = At least { $min } characters. A few unrelated words make a good one.
field-code = One-time code
password-show = Show
password-hide = Hide
password-show-label = Show password
password-hide-label = Hide password
strength-0 = Very easy to guess
strength-1 = Easy to guess
strength-2 = Could be better
strength-3 = Good
strength-4 = Very good

## Moments and spans
ago-now = just now
ago-minutes = { $count ->
    [one] { $count } minute ago
   *[other] { $count } minutes ago
}
ago-hours = { $count ->
    [one] { $count } hour ago
   *[other] { $count } hours ago
}
ago-days = { $count ->
    [one] { $count } day ago
   *[other] { $count } days ago
}
ago-date = on { $day } { $month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[12] December
} { $year }
wait-seconds = { $count ->
    [one] { $count } second
   *[other] { $count } seconds
}
wait-minutes = { $count ->
    [one] { $count } minute
   *[other] { $count } minutes
}
wait-hours = { $count ->
    [one] { $count } hour
   *[other] { $count } hours
}

## Signing in
login-title = Sign in
login-continue = Continue to
login-cancel = Go back to { $client } without signing in
login-submit = Sign in
login-remember = Keep me signed in on this device
login-forgotten = Forgotten your password?
login-error-wrong-credentials = User name and password do not match. Check both and try again.
login-error-throttled = Too many attempts. Please try again in { $wait }.
login-error-busy = Very many people are signing in right now. Please try again in a moment.
login-error-form-expired = This page was open for too long. Please sign in again.
login-error-cross-site = The form came from another site and was not used. Please sign in here.

## Applications of others
consent-title = Give { $client } access?
consent-as = You are signed in as
consent-gets = It gets
consent-new = new
consent-claims = It also asks for:
consent-resources = It may use these services for you:
consent-details = In detail:
consent-offline = It keeps this access when you sign out, until you end it on your account page.
consent-session = Its access ends when you sign out.
consent-allow = Allow
consent-deny = Refuse
consent-leads-to = You will be led to { $host }.
consent-withdraw = You can end this at any time on your account page.
scope-openid = Who you are: a name for you that stays the same
scope-profile = Your profile: name, picture, language and so on
scope-email = Your e-mail address
scope-address = Your postal address
scope-phone = Your telephone number
scope-groups = The groups you belong to
scope-offline_access = Access also while you are not there
scope-other = { $scope }
client-document = It is known by the document at { $host } alone. Nobody here has checked it.
client-unverified = It has registered itself. Nobody here has checked it.
client-policy = Data protection
client-terms = Terms
choose-title = Choose an account
choose-continue = Continue as { $name }
choose-another = Use another account
form-post-title = One moment
form-post-submit = Continue
device-title = Connect a device
device-lead = Type the code that the device shows.
device-code = Code
device-code-hint = Eight letters, such as WDJB-MJHT.
device-warning = Go on only if you started this yourself, on a device in front of you. Whoever sent you a code or a link wants to sign in as you.
device-submit = Continue
device-error-unknown = No device that waits has this code. Check the letters; a code is valid for ten minutes.
device-error-throttled = Too many codes were tried. Please try again in { $wait }.
device-consent-title = Let { $client } in on a device?
device-consent-code = The device shows this code:
device-done-allowed-title = The device is connected
device-done-allowed = { $client } has access now. Go back to the device; you can close this page.
device-done-denied-title = The device was refused
device-done-denied = { $client } got nothing. You can close this page.

## Signing out
logout-title = Sign out?
logout-who = You are signed in as
logout-cancel = Stay signed in
signed-out-title = You are signed out
signed-out-text = Your session on this device has ended. On a shared computer, close the browser window as well.
signed-out-again = Sign in again
signed-out-continue = Continue
signed-out-frame = Tells an application

## A new password
reset-title = Reset your password
reset-ask-text = Your administrator can give you a one-time code. It works once, for fifteen minutes.
reset-choose-title = Choose a new password
reset-choose-for = For { $username }.
reset-choose-text = You will be signed out everywhere.
reset-submit = Set password
reset-done-title = All set
reset-done-text = Your new password is in force, and you are signed out everywhere. Sign in with it now.

## The first administrator
setup-title = Set up Gateward
setup-lead = You are the first here. Choose how you, the administrator, will sign in.
setup-submit = Create administrator
setup-invalid-title = This link no longer works
setup-invalid-text = A set-up link works once and for one hour. Perhaps somebody has used it already, or it is too old.
setup-invalid-help = You can add an administrator on the server at any time:

## Problems with what was typed
problem-too-short = Use at least { $min } characters.
problem-too-long = This is too long: at most { $max } bytes.
problem-common = This password is among the first that anybody would try. Choose another.
problem-contains-name = The password must not contain your name or e-mail address.
problem-mismatch = The two passwords are not the same.
problem-code-invalid = This code is wrong, was used already, or is too old. Ask for a new one.
problem-current-password-wrong = This is not your current password.
problem-name-empty = Enter a name.
problem-name-too-long = This name is too long.
problem-name-characters = This name has characters that are not allowed.
problem-name-taken = This name is taken.
problem-name-confusable = This name looks too much like another one. Choose a different one.
problem-email-invalid = This is not an e-mail address.
problem-email-taken = Somebody else uses this e-mail address.
problem-text-too-long = This is too long.
problem-text-characters = This has characters that cannot be shown, or a line break.
problem-too-many-lines = These are too many lines: use at most four.
problem-web-address-invalid = This is not a web address. One begins with https:// or http://.
problem-birthdate-invalid = This is not a date of birth. One is like 1815-12-10, 0000-12-10 without the year, or 1815 alone.
problem-zone-invalid = This is not the name of a time zone. One is like Europe/Berlin.
problem-locale-invalid = This is not a language tag. One is like de or en-GB.
problem-phone-invalid = This is not an international telephone number. One is like +49 30 1234567.
problem-throttled = Too many attempts. Please wait a moment.
problem-busy = Very much is going on right now. Please try again in a moment.
problem-form-expired = This page was open for too long. Please send it again.
problem-cross-site = The form came from another site and was not used. Please send it from here.

## The account
account-title = Your account
account-profile = Profile
account-profile-text = How applications address you.
account-profile-submit = Save profile
account-email-verified = Verified. Another address has to be verified anew.
account-phone-verified = Verified. Another number has to be verified anew.
account-more = More about you
account-more-text = All of this is optional. Applications are told only what they ask for and you allow.
account-more-names = Names
account-more-address = Telephone and address
account-more-web = On the web
account-more-person = Personal
account-password-text = Changing it signs you out everywhere else.
account-password-submit = Change password
account-sessions = Where you are signed in
account-sessions-text = If you do not recognise one of these, end it and change your password.
account-apps = Signed-in apps
account-apps-text = These apps act in your name without a browser. Ending one signs it out at once; it has to sign in again.
account-applications = Applications with access
account-applications-text = You have given these applications access. Ending it takes effect at once; the application asks again when you next use it.
account-end-others = Sign out everywhere else
account-sign-out = Sign out on this device
account-notice-profile-saved = Your profile is saved.
account-notice-password-changed = Your password is changed, and you are signed out everywhere else.
account-notice-session-ended = The session is ended.
account-notice-others-ended = You are signed out everywhere else.
account-notice-application-ended = The application has no access any more.
account-key-reused = Somebody else may have used a key of one of your apps on { $when }; that app was signed out. If this was not you, change your password.

## Sessions
session-device-unknown = Unknown device
session-current = This device
session-last-used = Last used
session-from = from
session-created = Signed in
session-transport-cookie = browser
session-transport-header = app
session-transport-url = browser without cookies
session-transport-token = app with tokens
session-remembered = stays signed in
session-end = End
application-resources = For:
application-since = Access given
application-used = Last used
application-offline = also while you are signed out
application-end = End access

## Administration
people-title = People
people-search = Search by name or e-mail
people-search-submit = Search
people-sessions = { $count ->
    [0] not signed in
    [one] { $count } session
   *[other] { $count } sessions
}
people-none = There is nobody here yet.
people-none-found = Nobody matches “{ $query }”.
people-next = Next page
person-back = All people
person-facts = Profile
person-disabled = Disabled
person-created = Added
person-changed = Last changed
person-sessions = Sessions
person-sessions-text = Everything open in this person’s name. Ending takes effect at once, on every server.
person-sessions-none = Not signed in anywhere.
person-end-all = End all sessions
person-applications = Applications with access
person-applications-text = What this person has given to applications. Ending takes effect at once.
person-access = Access
person-reset = Reset password
person-reset-text = Issues a link that works once, for fifteen minutes. Earlier links stop working.
person-reset-submit = Issue link
person-reset-link = One-time link
person-reset-link-text = Hand it over by a way you trust. It is shown only this once.
person-disable = Disable
person-disable-text = Ends all sessions and refuses every sign-in until enabled again.
person-disable-submit = Disable
person-enable = Enable
person-enable-text = Allows this person to sign in again.
person-enable-submit = Enable
person-notice-session-ended = The session is ended.
person-notice-all-ended = All sessions of this person are ended.
person-notice-application-ended = The application has no access any more.
person-notice-disabled = This person is disabled and signed out everywhere.
person-notice-enabled = This person may sign in again.
person-notice-reset-issued = A new one-time link is issued.

## Errors
error-home = Go to the start page
error-code = Error
error-request = Request
error-bad-request = This request cannot be understood
error-bad-request-detail = The address or the form is incomplete or damaged. Go back and try again.
error-not-found = There is nothing here
error-not-found-detail = The address may be mistyped, or the page has moved.
error-forbidden = You may not open this page
error-forbidden-detail = Your account does not allow it. An administrator can change that.
error-form-refused = The form was not accepted
error-form-refused-detail = It was open for too long, or was sent from another site. Go back, reload the page and try again.
error-unknown-host = This address is not set up
error-unknown-host-detail = The application behind this address is not known here. Its operator can add it to the settings.
error-too-many = Too many requests
error-too-many-detail = Please wait a moment before you try again.
error-unavailable = Not available right now
error-unavailable-detail = Nothing is lost and you are still signed in. Please try again in a moment.
error-internal = Something went wrong
error-internal-detail = This is our fault, not yours. If it stays, tell the operator the request number below.

## Refused by the rules of an application
forbidden-title = No access
forbidden-groups = This is open to members of:
forbidden-network = This can only be opened from certain networks, and you are connected from another one.
forbidden-not-listed = No rule lets anybody open this address.
forbidden-who = You are signed in as
forbidden-switch = Sign in as somebody else
forbidden-account = Go to your account
