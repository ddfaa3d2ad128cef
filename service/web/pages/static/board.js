// The live board.

import { loggedIn, showAccount } from "./session.js";

await loggedIn();
showAccount();
