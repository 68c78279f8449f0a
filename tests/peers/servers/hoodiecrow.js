// An IMAP server whose extensions are chosen one by one. Argument: {port, plugins, user, password, storage} as JSON.
"use strict";

const hoodiecrow = require("hoodiecrow-imap");
const settings = JSON.parse(process.argv[2]);
hoodiecrow({
  plugins: settings.plugins,
  users: { [settings.user]: { password: settings.password } },
  storage: settings.storage,
}).listen(settings.port, "127.0.0.1");
