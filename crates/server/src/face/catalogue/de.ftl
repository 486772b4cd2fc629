# Alle Sätze der Seiten auf Deutsch. Die anderen Kataloge haben genau dieselben Schlüssel.

## Around every page
skip-to-content = Zum Inhalt springen
menu = Ihr Menü
menu-people = Personen
sign-out = Abmelden
to-sign-in = Zur Anmeldung
continue = Weiter
copy = Kopieren
copied = Kopiert
optional = freiwillig
groups = Gruppen
groups-none = Keine
none-given = Nicht angegeben

## Fields
field-username = Benutzername
field-username-hint = Buchstaben, Ziffern, Punkte, Binde- und Unterstriche.
field-username-or-email = Benutzername oder E-Mail
field-display-name = Anzeigename
field-email = E-Mail
field-verified = bestätigt
detail-given_name = Vorname
detail-middle_name = Zweiter Vorname
detail-family_name = Nachname
detail-nickname = Rufname
detail-phone_number = Telefon
detail-street_address = Straße und Hausnummer
detail-locality = Ort
detail-region = Bundesland oder Region
detail-postal_code = Postleitzahl
detail-country = Land
detail-profile = Profilseite
detail-picture = Bild
detail-website = Website
detail-gender = Geschlecht
detail-birthdate = Geburtsdatum
detail-zoneinfo = Zeitzone
detail-locale = Sprache
detail-phone_number-hint = Mit der Landesvorwahl, etwa +49 30 1234567.
detail-web-hint = Eine Adresse, die mit https:// beginnt.
detail-gender-hint = In Ihrem eigenen Wort.
detail-birthdate-hint = Etwa 1815-12-10; 0000-12-10 lässt das Jahr weg, 1815 den Tag.
detail-zoneinfo-hint = Etwa Europe/Berlin.
detail-locale-hint = Etwa de oder en-GB.
field-password = Passwort
field-current-password = Jetziges Passwort
field-new-password = Neues Passwort
field-password-again = Neues Passwort, noch einmal
field-password-hint = Mindestens { $min } Zeichen. Ein paar Wörter ohne Zusammenhang sind gut geeignet.
field-code = Einmalcode
password-show = Zeigen
password-hide = Verbergen
password-show-label = Passwort zeigen
password-hide-label = Passwort verbergen
strength-0 = Sehr leicht zu erraten
strength-1 = Leicht zu erraten
strength-2 = Könnte besser sein
strength-3 = Gut
strength-4 = Sehr gut

## Moments and spans
ago-now = gerade eben
ago-minutes = { $count ->
    [one] vor { $count } Minute
   *[other] vor { $count } Minuten
}
ago-hours = { $count ->
    [one] vor { $count } Stunde
   *[other] vor { $count } Stunden
}
ago-days = { $count ->
    [one] vor { $count } Tag
   *[other] vor { $count } Tagen
}
ago-date = am { $day }. { $month ->
    [1] Januar
    [2] Februar
    [3] März
    [4] April
    [5] Mai
    [6] Juni
    [7] Juli
    [8] August
    [9] September
    [10] Oktober
    [11] November
   *[12] Dezember
} { $year }
wait-seconds = { $count ->
    [one] { $count } Sekunde
   *[other] { $count } Sekunden
}
wait-minutes = { $count ->
    [one] { $count } Minute
   *[other] { $count } Minuten
}
wait-hours = { $count ->
    [one] { $count } Stunde
   *[other] { $count } Stunden
}

## Signing in
login-title = Anmelden
login-continue = Weiter zu
login-cancel = Ohne Anmeldung zurück zu { $client }
login-submit = Anmelden
login-remember = Auf diesem Gerät angemeldet bleiben
login-forgotten = Passwort vergessen?
login-error-wrong-credentials = Benutzername und Passwort passen nicht zusammen. Prüfen Sie beides und versuchen Sie es noch einmal.
login-error-throttled = Zu viele Versuche. Bitte versuchen Sie es in { $wait } noch einmal.
login-error-busy = Gerade melden sich sehr viele an. Bitte versuchen Sie es gleich noch einmal.
login-error-form-expired = Diese Seite war zu lange offen. Bitte melden Sie sich noch einmal an.
login-error-cross-site = Das Formular kam von einer anderen Seite und wurde nicht verwendet. Bitte melden Sie sich hier an.

## Applications of others
consent-title = { $client } Zugriff geben?
consent-as = Sie sind angemeldet als
consent-gets = Die Anwendung erhält
consent-new = neu
consent-claims = Außerdem bittet sie um:
consent-resources = Sie darf für Sie diese Dienste benutzen:
consent-details = Im Einzelnen:
consent-offline = Sie behält diesen Zugriff auch, wenn Sie sich abmelden, bis Sie ihn auf Ihrer Kontoseite beenden.
consent-session = Ihr Zugriff endet, wenn Sie sich abmelden.
consent-allow = Erlauben
consent-deny = Ablehnen
consent-leads-to = Sie werden zu { $host } geleitet.
consent-withdraw = Sie können das jederzeit auf Ihrer Kontoseite beenden.
scope-openid = Wer Sie sind: einen Namen für Sie, der gleich bleibt
scope-profile = Ihr Profil: Name, Bild, Sprache und so weiter
scope-email = Ihre E-Mail-Adresse
scope-address = Ihre Postanschrift
scope-phone = Ihre Telefonnummer
scope-groups = Die Gruppen, zu denen Sie gehören
scope-offline_access = Zugriff auch, während Sie nicht da sind
scope-other = { $scope }
client-document = Bekannt ist sie nur durch das Dokument bei { $host }. Niemand hier hat sie geprüft.
client-unverified = Die Anwendung hat sich selbst registriert. Niemand hier hat sie geprüft.
client-policy = Datenschutz
client-terms = Bedingungen
choose-title = Konto wählen
choose-continue = Weiter als { $name }
choose-another = Ein anderes Konto benutzen
form-post-title = Einen Augenblick
form-post-submit = Weiter
device-title = Gerät verbinden
device-lead = Geben Sie den Code ein, den das Gerät zeigt.
device-code = Code
device-code-hint = Acht Buchstaben, zum Beispiel WDJB-MJHT.
device-warning = Fahren Sie nur fort, wenn Sie selbst das begonnen haben, auf einem Gerät, das vor Ihnen steht. Wer Ihnen einen Code oder einen Link geschickt hat, will sich als Sie anmelden.
device-submit = Weiter
device-error-unknown = Kein wartendes Gerät hat diesen Code. Prüfen Sie die Buchstaben; ein Code gilt zehn Minuten.
device-error-throttled = Es wurden zu viele Codes versucht. Bitte versuchen Sie es in { $wait } noch einmal.
device-consent-title = { $client } auf einem Gerät einlassen?
device-consent-code = Das Gerät zeigt diesen Code:
device-done-allowed-title = Das Gerät ist verbunden
device-done-allowed = { $client } hat jetzt Zugriff. Kehren Sie zum Gerät zurück; diese Seite können Sie schließen.
device-done-denied-title = Das Gerät wurde abgewiesen
device-done-denied = { $client } hat nichts erhalten. Sie können diese Seite schließen.

## Signing out
logout-title = Abmelden?
logout-who = Sie sind angemeldet als
logout-cancel = Angemeldet bleiben
signed-out-title = Sie sind abgemeldet
signed-out-text = Ihre Sitzung auf diesem Gerät ist beendet. Schließen Sie an einem gemeinsam genutzten Rechner auch das Browserfenster.
signed-out-again = Wieder anmelden
signed-out-continue = Weiter
signed-out-frame = Benachrichtigt eine Anwendung

## A new password
reset-title = Passwort zurücksetzen
reset-ask-text = Ihre Verwaltung kann Ihnen einen Einmalcode geben. Er gilt einmal und fünfzehn Minuten lang.
reset-choose-title = Neues Passwort wählen
reset-choose-for = Für { $username }.
reset-choose-text = Sie werden überall abgemeldet.
reset-submit = Passwort setzen
reset-done-title = Erledigt
reset-done-text = Ihr neues Passwort gilt, und Sie sind überall abgemeldet. Melden Sie sich jetzt damit an.

## The first administrator
setup-title = Gateward einrichten
setup-lead = Hier gibt es noch niemanden. Legen Sie fest, womit Sie sich für die Verwaltung anmelden.
setup-submit = Verwaltungskonto anlegen
setup-invalid-title = Dieser Link gilt nicht mehr
setup-invalid-text = Ein Link zum Einrichten gilt einmal und eine Stunde lang. Vielleicht hat ihn schon jemand benutzt, oder er ist zu alt.
setup-invalid-help = Auf dem Server lässt sich jederzeit ein Verwaltungskonto anlegen:

## Problems with what was typed
problem-too-short = Verwenden Sie mindestens { $min } Zeichen.
problem-too-long = Das ist zu lang: höchstens { $max } Bytes.
problem-common = Dieses Passwort gehört zu denen, die jeder zuerst versucht. Wählen Sie ein anderes.
problem-contains-name = Das Passwort darf weder Ihren Namen noch Ihre E-Mail-Adresse enthalten.
problem-mismatch = Die beiden Passwörter sind nicht gleich.
problem-code-invalid = Dieser Code ist falsch, schon benutzt oder zu alt. Bitten Sie um einen neuen.
problem-current-password-wrong = Das ist nicht Ihr jetziges Passwort.
problem-name-empty = Geben Sie einen Namen ein.
problem-name-too-long = Dieser Name ist zu lang.
problem-name-characters = Dieser Name hat Zeichen, die nicht erlaubt sind.
problem-name-taken = Dieser Name ist vergeben.
problem-name-confusable = Dieser Name sieht einem anderen zu ähnlich. Wählen Sie einen anderen.
problem-email-invalid = Das ist keine E-Mail-Adresse.
problem-email-taken = Jemand anderes benutzt diese E-Mail-Adresse.
problem-text-too-long = Das ist zu lang.
problem-text-characters = Das enthält Zeichen, die sich nicht darstellen lassen, oder einen Zeilenumbruch.
problem-too-many-lines = Das sind zu viele Zeilen: höchstens vier.
problem-web-address-invalid = Das ist keine Webadresse. Sie beginnt mit https:// oder http://.
problem-birthdate-invalid = Das ist kein Geburtsdatum. Möglich sind etwa 1815-12-10, 0000-12-10 ohne das Jahr oder nur 1815.
problem-zone-invalid = Das ist kein Name einer Zeitzone, wie etwa Europe/Berlin.
problem-locale-invalid = Das ist kein Sprachkürzel, wie etwa de oder en-GB.
problem-phone-invalid = Das ist keine internationale Telefonnummer, wie etwa +49 30 1234567.
problem-throttled = Zu viele Versuche. Bitte warten Sie einen Augenblick.
problem-busy = Gerade ist sehr viel los. Bitte versuchen Sie es gleich noch einmal.
problem-form-expired = Diese Seite war zu lange offen. Bitte senden Sie sie noch einmal ab.
problem-cross-site = Das Formular kam von einer anderen Seite und wurde nicht verwendet. Bitte senden Sie es von hier ab.

## The account
account-title = Ihr Konto
account-profile = Profil
account-profile-text = Wie Anwendungen Sie ansprechen.
account-profile-submit = Profil speichern
account-email-verified = Bestätigt. Eine andere Adresse muss neu bestätigt werden.
account-phone-verified = Bestätigt. Eine andere Nummer muss neu bestätigt werden.
account-more = Mehr über Sie
account-more-text = Alle Angaben sind freiwillig. Anwendungen erfahren nur, wonach sie fragen und was Sie erlauben.
account-more-names = Namen
account-more-address = Telefon und Anschrift
account-more-web = Im Web
account-more-person = Persönliches
account-password-text = Eine Änderung meldet Sie überall sonst ab.
account-password-submit = Passwort ändern
account-sessions = Wo Sie angemeldet sind
account-sessions-text = Wenn Sie etwas davon nicht kennen, beenden Sie es und ändern Sie Ihr Passwort.
account-apps = Angemeldete Apps
account-apps-text = Diese Apps handeln in Ihrem Namen, ohne Browser. Beenden meldet eine App sofort ab; sie muss sich neu anmelden.
account-applications = Anwendungen mit Zugriff
account-applications-text = Diesen Anwendungen haben Sie Zugriff gegeben. Beenden gilt sofort; beim nächsten Mal fragt die Anwendung wieder.
account-end-others = Überall sonst abmelden
account-sign-out = Auf diesem Gerät abmelden
account-notice-profile-saved = Ihr Profil ist gespeichert.
account-notice-password-changed = Ihr Passwort ist geändert, und Sie sind überall sonst abgemeldet.
account-notice-session-ended = Die Sitzung ist beendet.
account-notice-others-ended = Sie sind überall sonst abgemeldet.
account-notice-application-ended = Die Anwendung hat keinen Zugriff mehr.
account-key-reused = Möglicherweise hat jemand anderes am { $when } einen Schlüssel einer Ihrer Apps benutzt; die App wurde abgemeldet. Wenn Sie das nicht waren, ändern Sie Ihr Passwort.

## Sessions
session-device-unknown = Unbekanntes Gerät
session-current = Dieses Gerät
session-last-used = Zuletzt benutzt
session-from = von
session-created = Angemeldet
session-transport-cookie = Browser
session-transport-header = App
session-transport-url = Browser ohne Cookies
session-transport-token = App mit Token
session-remembered = bleibt angemeldet
session-end = Beenden
application-resources = Für:
application-since = Zugriff gegeben
application-used = Zuletzt benutzt
application-offline = auch wenn Sie abgemeldet sind
application-end = Zugriff beenden

## Administration
people-title = Personen
people-search = Suche nach Name oder E-Mail
people-search-submit = Suchen
people-sessions = { $count ->
    [0] nicht angemeldet
    [one] { $count } Sitzung
   *[other] { $count } Sitzungen
}
people-none = Hier ist noch niemand.
people-none-found = Zu „{ $query }“ passt niemand.
people-next = Nächste Seite
person-back = Alle Personen
person-facts = Profil
person-disabled = Gesperrt
person-created = Angelegt
person-changed = Zuletzt geändert
person-sessions = Sitzungen
person-sessions-text = Alles, was im Namen dieser Person offen ist. Ein Ende gilt sofort und auf jedem Server.
person-sessions-none = Nirgends angemeldet.
person-end-all = Alle Sitzungen beenden
person-applications = Anwendungen mit Zugriff
person-applications-text = Was diese Person Anwendungen gegeben hat. Ein Ende gilt sofort.
person-access = Zugang
person-reset = Passwort zurücksetzen
person-reset-text = Gibt einen Link aus, der einmal und fünfzehn Minuten lang gilt. Frühere Links gelten dann nicht mehr.
person-reset-submit = Link ausgeben
person-reset-link = Einmal-Link
person-reset-link-text = Geben Sie ihn auf einem Weg weiter, dem Sie vertrauen. Er wird nur dieses eine Mal gezeigt.
person-disable = Sperren
person-disable-text = Beendet alle Sitzungen und weist jede Anmeldung ab, bis die Sperre aufgehoben ist.
person-disable-submit = Sperren
person-enable = Sperre aufheben
person-enable-text = Diese Person kann sich dann wieder anmelden.
person-enable-submit = Aufheben
person-notice-session-ended = Die Sitzung ist beendet.
person-notice-all-ended = Alle Sitzungen dieser Person sind beendet.
person-notice-application-ended = Die Anwendung hat keinen Zugriff mehr.
person-notice-disabled = Diese Person ist gesperrt und überall abgemeldet.
person-notice-enabled = Diese Person kann sich wieder anmelden.
person-notice-reset-issued = Ein neuer Einmal-Link ist ausgegeben.

## Errors
error-home = Zur Startseite
error-code = Fehler
error-request = Anfrage
error-bad-request = Diese Anfrage ist nicht zu verstehen
error-bad-request-detail = Die Adresse oder das Formular ist unvollständig oder beschädigt. Gehen Sie zurück und versuchen Sie es noch einmal.
error-not-found = Hier ist nichts
error-not-found-detail = Vielleicht ist die Adresse vertippt, oder die Seite ist umgezogen.
error-forbidden = Diese Seite dürfen Sie nicht öffnen
error-forbidden-detail = Ihr Konto erlaubt es nicht. Ihre Verwaltung kann das ändern.
error-form-refused = Das Formular wurde nicht angenommen
error-form-refused-detail = Es war zu lange offen oder kam von einer anderen Seite. Gehen Sie zurück, laden Sie die Seite neu und versuchen Sie es noch einmal.
error-unknown-host = Diese Adresse ist nicht eingerichtet
error-unknown-host-detail = Die Anwendung hinter dieser Adresse ist hier nicht bekannt. Wer sie betreibt, kann sie in den Einstellungen ergänzen.
error-too-many = Zu viele Anfragen
error-too-many-detail = Bitte warten Sie einen Augenblick, bevor Sie es noch einmal versuchen.
error-unavailable = Gerade nicht erreichbar
error-unavailable-detail = Es ist nichts verloren, und Sie sind weiterhin angemeldet. Bitte versuchen Sie es gleich noch einmal.
error-internal = Etwas ist schiefgegangen
error-internal-detail = Das liegt an uns, nicht an Ihnen. Wenn es bleibt, nennen Sie dem Betrieb die Nummer der Anfrage unten.

## Refused by the rules of an application
forbidden-title = Kein Zugang
forbidden-groups = Zugang haben die Mitglieder von:
forbidden-network = Das lässt sich nur aus bestimmten Netzen öffnen, und Sie kommen aus einem anderen.
forbidden-not-listed = Keine Regel lässt jemanden an diese Adresse.
forbidden-who = Sie sind angemeldet als
forbidden-switch = Als jemand anderes anmelden
forbidden-account = Zu Ihrem Konto
