"""English."""

from __future__ import annotations

from service.domain.provisioning.typed_account import Field
from service.web.setup.languages.texts import KindTexts, Texts

_SAME_MENU = "Menus may have other names in your version of the app."

ENGLISH = Texts(
    language="en",
    title="Set up {kind}",
    phone="Phone “{label}” of extension {extension}",
    valid="This link is valid for about {minutes} min, until {time} UTC.",
    not_live="The telephone system does not answer at the moment. If your phone does not register, wait some minutes.",
    kinds={
        "linphone": KindTexts(
            steps=(
                "Install Linphone from the app store or the software centre of the device that is to ring.",
                "Open it once. Skip the creation of an account.",
            ),
            then=("Linphone shows the account as connected. This link then ends by itself.",),
        ),
        "gswave": KindTexts(
            steps=(
                "Install GS Wave on your mobile. Read this page on another screen: the mobile has to scan it.",
                "In GS Wave open Settings, then Account settings. Add an account and choose to scan a QR code. "
                + _SAME_MENU,
                "Show the code and scan it.",
            ),
            then=(
                "Scan the code with GS Wave.",
                "If the transport below is not UDP, choose it in the account's SIP settings.",
                "Close this page once GS Wave shows the account as registered.",
            ),
            button="Show the QR code",
        ),
        "groundwire": KindTexts(
            steps=(
                "Install Groundwire on your mobile.",
                "In Groundwire open Settings, then Accounts. Add a generic SIP account. " + _SAME_MENU,
                "Show the account and type it in.",
            ),
            then=(
                "Type these values into the account. Username and password are case-sensitive.",
                "To see the state of your line in Groundwire, enter the balance URL in the account's balance checker.",
                "Close this page once Groundwire shows the account as registered.",
            ),
            button="Show the account",
        ),
        "desk": KindTexts(
            steps=(
                "Open the settings of the desk phone: type its address, which its menu shows, into a browser.",
                "Open the settings of its first free account or line.",
                "Show the account and type it in.",
            ),
            then=(
                "Type these values into the account. Username and password are case-sensitive.",
                "Save. The phone shows that the line is registered.",
                "Close this page.",
            ),
            button="Show the account",
        ),
        "browser-phone": KindTexts(
            steps=(
                "Open your Browser-Phone, or ask whoever runs it for the place of its configuration.",
                "Show the configuration and copy it.",
            ),
            then=(
                "Put this into phoneOptions of Browser-Phone's page, or type the values into its account settings.",
                "Close this page once Browser-Phone is registered.",
            ),
            button="Show the configuration",
        ),
    },
    kind_titles={"desk": "a desk phone"},
    fields={
        Field.SERVER: "Server (registrar, domain)",
        Field.TRANSPORT: "Transport",
        Field.MEDIA_ENCRYPTION: "Media encryption",
        Field.USERNAME: "Username",
        Field.AUTH_USERNAME: "Authentication username",
        Field.PASSWORD: "Password",
        Field.DISPLAY_NAME: "Display name",
        Field.BALANCE_URL: "Balance URL",
    },
    this_device="Linphone on this device",
    open_app="Open in Linphone",
    other_device="Linphone on another device",
    qr_of_url="Choose “Scan QR code” in Linphone's assistant, and scan this code.",
    no_camera="Without a camera",
    enter_url="Choose “Fetch remote configuration” in Linphone's assistant, and enter this address:",
    keep_private="It holds your password and is shown once. Make sure that nobody else sees your screen.",
    qr_of_account="QR code with the account for GS Wave",
    by_hand="By hand",
    shown_once="Shown once: this page cannot be opened again. If you lose it before your phone is set up, ask for a "
    "new link.",
    trouble="If it does not work",
    trouble_steps=(
        "Check that the device is connected to the internet or to your company's network.",
        "Ask whoever gave you this link for a new one. The new link ends this one.",
    ),
    next_steps="What to do",
    done="When it is set up",
    refused="This link does not work",
    refused_why="It has been used, also by a second click on the button, it has expired, or a newer link has replaced "
    "it. Or its address is incomplete.",
    refused_well="If your phone shows that it is registered, it is set up, and you need no link.",
    refused_new="Otherwise ask whoever gave you this link for a new one.",
    unavailable="Not available at the moment",
    unavailable_why="Try again in a minute. If the link does not work then, ask whoever gave it to you for a new one.",
)
