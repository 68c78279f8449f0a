// Runs inside Thunderbird: gets one POP3 account's new mail as "Get Messages" does, and tells how that ended.
// Arguments: the server's key or null for a new account, the account's settings, and what to call with the outcome.
const [key, settings, done] = arguments;

function newServer() {
  // There is one account for a name at a host: another computer's, in the tests, takes the place of the one before.
  const old = MailServices.accounts.findServer(settings.user, settings.host, "pop3");
  if (old) MailServices.accounts.removeAccount(MailServices.accounts.findAccountForServer(old), true);
  const server = MailServices.accounts.createIncomingServer(settings.user, settings.host, "pop3");
  const account = MailServices.accounts.createAccount();
  const identity = MailServices.accounts.createIdentity();
  identity.email = "test@example.org";
  account.addIdentity(identity);
  account.incomingServer = server;
  server.loginAtStartUp = false;
  server.doBiff = false;
  return server;
}

const errors = [];
const console_ = { observe: (message) => errors.push(String(message.message ?? message)) };
let refused = false;
// The dialogue "Login to server … failed": its user presses Cancel.
Services.prompt = {
  confirmEx: (_window, _title, text) => ((refused = true), errors.push(text), 1),
  alert: (_window, title, text) => errors.push(`${title}: ${text}`),
};

try {
  Services.console.registerListener(console_);
  const server = key ? MailServices.accounts.getIncomingServer(key) : newServer();
  server.port = settings.port;
  server.socketType = settings.socketType;
  server.authMethod = Ci.nsMsgAuthMethod.passwordCleartext;
  server.password = settings.password;
  server.QueryInterface(Ci.nsIPop3IncomingServer).leaveMessagesOnServer = settings.keep;
  const inbox = server.rootMsgFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
  const listener = {
    QueryInterface: ChromeUtils.generateQI(["nsIUrlListener"]),
    OnStartRunningUrl() {},
    OnStopRunningUrl(_url, status) {
      Services.console.unregisterListener(console_);
      done({ key: server.key, folder: inbox.filePath.path, status, refused, errors: errors.slice(-10) });
    },
  };
  MailServices.pop3.GetNewMail(null, listener, inbox, server);
} catch (trouble) {
  Services.console.unregisterListener(console_);
  done({ key: null, folder: null, status: -1, refused, errors: [...errors, String(trouble)] });
}
