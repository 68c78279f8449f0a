// oidc-provider of npm as the tests' authorization server: its configuration, and a line of JSON for each token
// and each token request.
// Started by oidc.py, which hands over the settings as JSON. It keeps everything in memory.
import { createRequire } from "node:module";

const require = createRequire(`${process.env.NODE_PATH}/`);
const { default: Provider } = await import(require.resolve("oidc-provider"));
const settings = JSON.parse(process.argv[2]);

const told = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const secret = { token_endpoint_auth_method: "client_secret_post", client_secret: settings.secret };
const nobody = { redirect_uris: [], response_types: [] };

// One token after the other has the next of the lifetimes; the last is that of all that follow.
const lives = new WeakMap();
const life = (token) => {
  if (!lives.has(token)) {
    lives.set(token, settings.lifetimes.length > 1 ? settings.lifetimes.shift() : settings.lifetimes[0]);
  }
  return lives.get(token);
};

const provider = new Provider(settings.issuer, {
  clients: [
    {
      client_id: "popbridge",
      application_type: "native",
      token_endpoint_auth_method: "none",
      redirect_uris: ["http://127.0.0.1", "https://bridge.example/back"],
      grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
    },
    { client_id: "machine", ...secret, ...nobody, grant_types: ["client_credentials"] },
    {
      client_id: "certified",
      token_endpoint_auth_method: "private_key_jwt",
      token_endpoint_auth_signing_alg: "PS256",
      jwks: { keys: settings.keys },
      ...nobody,
      grant_types: ["client_credentials"],
    },
    // The mail server, which asks whose token it was shown.
    { client_id: "dovecot", token_endpoint_auth_method: "client_secret_basic", client_secret: settings.secret, ...nobody, grant_types: [] },
  ],
  clientAuthMethods: ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
  enabledJWA: { clientAuthSigningAlgValues: ["PS256"] },
  scopes: ["mail", "offline_access"],
  issueRefreshToken: () => true,
  rotateRefreshToken: settings.rotate,
  features: {
    devInteractions: { enabled: true }, // pages that take any password
    deviceFlow: { enabled: true },
    clientCredentials: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
  },
  pkce: { required: () => true },
  ttl: { AccessToken: (_, token) => life(token), ClientCredentials: (_, token) => life(token), DeviceCode: 600 },
  cookies: { keys: ["of the tests"] },
});

const asked = (ctx) => ({ grant: ctx.oidc.params?.grant_type, client: ctx.oidc.client?.clientId });
provider.on("grant.success", (ctx) => told({ ...asked(ctx), ok: true }));
provider.on("grant.error", (ctx, error) => told({ ...asked(ctx), ok: false, error: error.error, why: error.error_detail }));
for (const kind of ["access_token", "refresh_token", "client_credentials", "authorization_code"]) {
  provider.on(`${kind}.saved`, (token) => told({ kind, token: token.jti })); // of opaque ones the id is the token
}
provider.on("server_error", (ctx, error) => console.error(error));
provider.listen(settings.port, "127.0.0.1");
