"""German."""

from __future__ import annotations

from service.domain.provisioning.typed_account import Field
from service.web.setup.languages.texts import KindTexts, Texts

_SAME_MENU = "Je nach Version der App heißen die Menüs anders."

GERMAN = Texts(
    language="de",
    title="{kind} einrichten",
    phone="Telefon „{label}“ der Nebenstelle {extension}",
    valid="Dieser Link gilt noch etwa {minutes} min, bis {time} UTC.",
    not_live="Die Telefonanlage antwortet zurzeit nicht. Wenn Ihr Telefon sich nicht registriert, warten Sie einige "
    "Minuten.",
    kinds={
        "linphone": KindTexts(
            steps=(
                "Installieren Sie Linphone auf dem Gerät, das klingeln soll, aus dessen App-Store oder "
                "Softwareverwaltung.",
                "Öffnen Sie es einmal. Überspringen Sie das Anlegen eines Kontos.",
            ),
            then=("Linphone zeigt das Konto als verbunden an. Danach endet dieser Link von selbst.",),
        ),
        "gswave": KindTexts(
            steps=(
                "Installieren Sie GS Wave auf Ihrem Handy. Öffnen Sie diese Seite auf einem anderen Bildschirm: Das "
                "Handy muss sie scannen.",
                "Öffnen Sie in GS Wave die Einstellungen, dann die Kontoeinstellungen. Fügen Sie ein Konto hinzu und "
                "wählen Sie das Scannen eines QR-Codes. " + _SAME_MENU,
                "Zeigen Sie den Code an und scannen Sie ihn.",
            ),
            then=(
                "Scannen Sie den Code mit GS Wave.",
                "Wenn unten als Transport nicht UDP steht, wählen Sie ihn in den SIP-Einstellungen des Kontos.",
                "Schließen Sie diese Seite, sobald GS Wave das Konto als registriert anzeigt.",
            ),
            button="QR-Code anzeigen",
        ),
        "groundwire": KindTexts(
            steps=(
                "Installieren Sie Groundwire auf Ihrem Handy.",
                "Öffnen Sie in Groundwire die Einstellungen, dann die Konten. Fügen Sie ein allgemeines SIP-Konto "
                "hinzu. " + _SAME_MENU,
                "Zeigen Sie das Konto an und tippen Sie es ein.",
            ),
            then=(
                "Tippen Sie diese Werte in das Konto ein. Achten Sie bei Benutzername und Passwort auf Groß- und "
                "Kleinbuchstaben.",
                "Damit Groundwire den Zustand Ihrer Leitung anzeigt, tragen Sie die Guthaben-URL bei der "
                "Guthabenabfrage des Kontos ein.",
                "Schließen Sie diese Seite, sobald Groundwire das Konto als registriert anzeigt.",
            ),
            button="Konto anzeigen",
        ),
        "desk": KindTexts(
            steps=(
                "Öffnen Sie die Einstellungen des Tischtelefons: Geben Sie seine Adresse, die sein Menü anzeigt, in "
                "einem Browser ein.",
                "Öffnen Sie die Einstellungen des ersten freien Kontos oder der ersten freien Leitung.",
                "Zeigen Sie das Konto an und tippen Sie es ein.",
            ),
            then=(
                "Tippen Sie diese Werte in das Konto ein. Achten Sie bei Benutzername und Passwort auf Groß- und "
                "Kleinbuchstaben.",
                "Speichern Sie. Das Telefon zeigt an, dass die Leitung registriert ist.",
                "Schließen Sie diese Seite.",
            ),
            button="Konto anzeigen",
        ),
        "browser-phone": KindTexts(
            steps=(
                "Öffnen Sie Ihr Browser-Phone, oder fragen Sie dessen Betreiber, wo es konfiguriert wird.",
                "Zeigen Sie die Konfiguration an und kopieren Sie sie.",
            ),
            then=(
                "Setzen Sie dies in phoneOptions der Seite von Browser-Phone ein, oder tippen Sie die Werte in dessen "
                "Kontoeinstellungen.",
                "Schließen Sie diese Seite, sobald Browser-Phone registriert ist.",
            ),
            button="Konfiguration anzeigen",
        ),
    },
    kind_titles={"desk": "Tischtelefon"},
    fields={
        Field.SERVER: "Server (Registrar, Domain)",
        Field.TRANSPORT: "Transport",
        Field.MEDIA_ENCRYPTION: "Verschlüsselung der Sprache",
        Field.USERNAME: "Benutzername",
        Field.AUTH_USERNAME: "Benutzername zur Authentifizierung",
        Field.PASSWORD: "Passwort",
        Field.DISPLAY_NAME: "Anzeigename",
        Field.BALANCE_URL: "Guthaben-URL",
    },
    this_device="Linphone auf diesem Gerät",
    open_app="In Linphone öffnen",
    other_device="Linphone auf einem anderen Gerät",
    qr_of_url="Wählen Sie im Assistenten von Linphone „QR-Code scannen“ und scannen Sie diesen Code.",
    no_camera="Ohne Kamera",
    enter_url="Wählen Sie im Assistenten von Linphone, eine Konfiguration aus dem Netz zu laden, und geben Sie diese "
    "Adresse ein:",
    keep_private="Ihr Passwort ist darin und wird nur einmal angezeigt. Achten Sie darauf, dass niemand auf Ihren "
    "Bildschirm sieht.",
    qr_of_account="QR-Code mit dem Konto für GS Wave",
    by_hand="Von Hand",
    shown_once="Nur einmal angezeigt: Diese Seite lässt sich nicht noch einmal öffnen. Wenn Sie sie verlieren, bevor "
    "Ihr Telefon eingerichtet ist, bitten Sie um einen neuen Link.",
    trouble="Wenn es nicht klappt",
    trouble_steps=(
        "Prüfen Sie, ob das Gerät mit dem Internet oder mit dem Netz Ihrer Firma verbunden ist.",
        "Bitten Sie um einen neuen Link, wo Sie diesen bekommen haben. Der neue Link beendet diesen.",
    ),
    next_steps="So geht es",
    done="Wenn es eingerichtet ist",
    refused="Dieser Link funktioniert nicht",
    refused_why="Er wurde schon benutzt, auch durch einen zweiten Klick auf die Schaltfläche, er ist abgelaufen, oder "
    "ein neuerer Link hat ihn ersetzt. Oder seine Adresse ist unvollständig.",
    refused_well="Wenn Ihr Telefon anzeigt, dass es registriert ist, ist es eingerichtet. Dann brauchen Sie keinen "
    "Link.",
    refused_new="Bitten Sie sonst um einen neuen Link, wo Sie diesen bekommen haben.",
    unavailable="Zurzeit nicht verfügbar",
    unavailable_why="Versuchen Sie es in einer Minute noch einmal. Wenn der Link dann nicht "
    "funktioniert, bitten Sie um einen neuen.",
)
