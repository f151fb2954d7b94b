//! The rows: what is broken, and what everybody sees of it.

use model::scan::ScanKind;
use model::time::Duration;

use super::tenant::{Break, Which};

/// How it is mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mend {
    /// The tenant is as it was; the next scan finds it so.
    Tenant,
    /// With a fresh credential, by Reauthenticate.
    Credential,
}

/// One way to break.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) tenant: Which,
    pub(super) breaks: Break,
    pub(super) mend: Mend,
    /// How long it is broken: past the owner's digest.
    pub(super) broken_for: Duration,
    /// Hours and minutes since it broke: the application, its Config Scan, its Risky Account Scan.
    pub(super) timeline: &'static [&'static str],
    /// The scan that is looked at.
    pub(super) scan: ScanKind,
    /// Of its first failed run.
    pub(super) cause: &'static str,
    pub(super) ladder: &'static str,
    /// How it begins: of server errors side by side, any may be the one that is told.
    pub(super) fault: &'static str,
    /// Of its row when it is about to be mended.
    pub(super) remedy: &'static str,
    /// When, what sort, title | body.
    pub(super) alerts: &'static [&'static str],
    /// What the digest says among other things.
    pub(super) digest: &'static [&'static str],
    pub(super) recovery: &'static [&'static str],
    pub(super) recovered: &'static [&'static str],
}

/// Both scans of an application fail, each at its hour: Down by attempts, the application by its last kind.
const BOTH_DOWN: &[&str] = &[
    "0:05 Up: Up, Up",
    "0:30 Unhealthy: Unhealthy, Up",
    "1:00 Unhealthy: Down, Up",
    "5:30 Down: Down, Unhealthy",
    "6:00 Down: Down, Down",
];

/// The vendor is well again, and each scan finds it so at its hour.
const BY_ITSELF: &[&str] = &["7:10 Down: Down, Down", "8:00 Unhealthy: Up, Down", "12:00 Up: Up, Up"];

/// Reauthenticate runs every scan at once.
const AT_ONCE: &[&str] = &["7:10 Up: Up, Up"];

const USUAL: Row = Row {
    name: "",
    tenant: Which::GitHubToken,
    breaks: Break::Revoked,
    mend: Mend::Tenant,
    broken_for: Duration::minutes(7 * 60 + 10),
    timeline: BOTH_DOWN,
    scan: ScanKind::Config,
    cause: "",
    ladder: "",
    fault: "",
    remedy: "",
    alerts: &[],
    digest: &[],
    recovery: BY_ITSELF,
    recovered: &[],
};

const SUSPENDED: &str =
    "Since 2 Mar 2026 17:30 +07 Parapet has sent nothing with it, lest its account be locked";
const SENDS_NOTHING: &str =
    "The next run is 3 Mar 2026 00:30 +07; it sends nothing unless the credential has been accepted before.";
const NEW_ONE: &str = "The credential was probably revoked or has expired, or its account, app or tenant is gone. \
                       Reauthenticate with a new one.";
const NOT_WHOLE: &str =
    "Scans that failed, wait or are paused see no change: what they missed is not in these numbers.";

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "a revoked token",
        mend: Mend::Credential,
        cause: "credentials",
        ladder: "name ✓, address ✓, TCP ✓, TLS ✓, HTTP ✓, authenticated ✗, permission -, dataset -",
        fault: "The vendor does not accept the credential (GET https://saas.example/orgs/acme, status 401, “Bad credentials”, request id SIM0).",
        remedy: "The credential was probably revoked or has expired, or its account, app or tenant is gone. Reauthenticate with a new one. (Reauthenticate: an administrator of GitHub)",
        alerts: &[
            "1:00 status_changed: Acme (GitHub) is Unhealthy | Unhealthy: Config Scan failed 3 times since 2026-03-02 10:00 UTC (credentials, while reading organization). Risky Account Scan is Up.",
            "6:00 status_changed: Acme (GitHub) is Down | Down: Config Scan failed 8 times since 2026-03-02 10:00 UTC (credentials). Risky Account Scan failed 3 times since 2026-03-02 15:00 UTC (credentials).",
        ],
        digest: &[
            "1 of 1 application is not Up.",
            "NOT UP",
            "Config Scan failed 9 times since 2 Mar 2026 17:00 +07 (credentials).",
            "GitHub refused the credential 3 times in a row.",
            SUSPENDED,
            NEW_ONE,
            "Who can: an administrator of GitHub.",
            SENDS_NOTHING,
            "the last run that succeeded ended 2 Mar 2026 16:00 +07.",
            "Reauthenticate: https://parapet.example.com/applications/",
            NOT_WHOLE,
        ],
        recovery: AT_ONCE,
        recovered: &[
            "7:40 recovered: Acme (GitHub) is Up again | Recovered after 9 failures, 6 h 40 min not Up. Up: the latest finished run of every scan succeeded.",
        ],
        ..USUAL
    },
    Row {
        name: "an expired secret",
        tenant: Which::Microsoft365,
        breaks: Break::Expired,
        mend: Mend::Credential,
        cause: "credentials",
        ladder: "name ✓, address ✓, TCP ✓, TLS ✓, HTTP ✓, authenticated ✗, permission -, dataset -",
        fault: "The vendor does not accept the credential (POST https://saas.example/acme.example/oauth2/v2.0/token, status 401, “AADSTS7000222: The provided client secret keys are expired. Trace ID: simulated”).",
        remedy: "The credential was probably revoked or has expired, or its account, app or tenant is gone. Reauthenticate with a new one. (Reauthenticate: an administrator of Microsoft 365)",
        alerts: &[
            "1:00 status_changed: Acme (Microsoft 365) is Unhealthy | Unhealthy: Config Scan failed 3 times since 2026-03-02 10:00 UTC (credentials). Risky Account Scan is Up.",
            "6:00 status_changed: Acme (Microsoft 365) is Down | Down: Config Scan failed 8 times since 2026-03-02 10:00 UTC (credentials). Risky Account Scan failed 3 times since 2026-03-02 15:00 UTC (credentials).",
        ],
        digest: &[
            "Config Scan failed 9 times since 2 Mar 2026 17:00 +07 (credentials).",
            "Microsoft 365 refused the credential 3 times in a row.",
            SUSPENDED,
            NEW_ONE,
            "Who can: an administrator of Microsoft 365.",
        ],
        recovery: AT_ONCE,
        recovered: &[
            "7:40 recovered: Acme (Microsoft 365) is Up again | Recovered after 9 failures, 6 h 40 min not Up. Up: the latest finished run of every scan succeeded.",
        ],
        ..USUAL
    },
    Row {
        name: "a scope withdrawn",
        tenant: Which::GitHubApp,
        breaks: Break::Withdrawn,
        scan: ScanKind::Accounts,
        timeline: &["0:05 Up: Up, Up", "5:30 Unhealthy: Up, Unhealthy", "6:00 Unhealthy: Up, Down"],
        cause: "permission",
        ladder: "name ✓, address ✓, TCP ✓, TLS ✓, HTTP ✓, authenticated ✓, permission ✗, dataset -",
        fault: "The vendor accepts the credential but does not let it read this (POST https://saas.example/graphql, status 200, “Resource not accessible by integration”, request id SIM0).",
        remedy: "Grant members:read at GitHub, or Reauthenticate with a credential that has it. (Reauthenticate: an administrator of GitHub)",
        alerts: &[
            "0:30 warning_ahead: Acme (GitHub): The credential no longer has the permission members:read. Grant members:read again at GitHub, or Reauthenticate with a credential that has it. | The credential no longer has the permission members:read. Grant members:read again at GitHub, or Reauthenticate with a credential that has it.",
            "6:00 status_changed: Acme (GitHub) is Unhealthy | Unhealthy: Risky Account Scan failed 3 times since 2026-03-02 15:00 UTC (permission: members:read). Config Scan is Up.",
        ],
        digest: &[
            "Risky Account Scan failed 3 times since 2 Mar 2026 22:00 +07 (permission: members:read). Config Scan is Up.",
            "Config Scan is Up with the same credential, so the credential most likely lacks the permission for the Risky Account Scan: members:read.",
            "What to do: Grant members:read at GitHub, or Reauthenticate with a credential that has it. Who can: an administrator of GitHub.",
            "AHEAD ----- Acme - The credential no longer has the permission members:read.",
            NOT_WHOLE,
        ],
        recovery: &["7:10 Unhealthy: Up, Down", "12:00 Up: Up, Up"],
        recovered: &[
            "12:30 recovered: Acme (GitHub) is Up again | Recovered after 3 failures, 6 h 30 min Unhealthy. Up: the latest finished run of every scan succeeded.",
        ],
        ..USUAL
    },
    Row {
        name: "the account deleted",
        tenant: Which::Google,
        breaks: Break::Deleted,
        mend: Mend::Credential,
        cause: "credentials",
        ladder: "name ✓, address ✓, TCP ✓, TLS ✓, HTTP ✓, authenticated ✗, permission -, dataset -",
        fault: "The vendor does not accept the credential (POST https://saas.example/token, status 400, “Invalid grant: account not found”).",
        remedy: "The credential was probably revoked or has expired, or its account, app or tenant is gone. Reauthenticate with a new one. (Reauthenticate: an administrator of Google Workspace)",
        alerts: &[
            "1:00 status_changed: Acme (Google Workspace) is Unhealthy | Unhealthy: Config Scan failed 3 times since 2026-03-02 10:00 UTC (credentials, while reading policies). Risky Account Scan is Up.",
            "6:00 status_changed: Acme (Google Workspace) is Down | Down: Config Scan failed 8 times since 2026-03-02 10:00 UTC (credentials). Risky Account Scan failed 3 times since 2026-03-02 15:00 UTC (credentials).",
        ],
        digest: &[
            "Config Scan failed 9 times since 2 Mar 2026 17:00 +07 (credentials).",
            "Google Workspace refused the credential 3 times in a row.",
            SUSPENDED,
            NEW_ONE,
        ],
        recovery: AT_ONCE,
        recovered: &[
            "7:40 recovered: Acme (Google Workspace) is Up again | Recovered after 9 failures, 6 h 40 min not Up. Up: the latest finished run of every scan succeeded.",
        ],
        ..USUAL
    },
    Row {
        name: "DNS gone",
        breaks: Break::Nameless,
        cause: "unreachable",
        ladder: "name ✓, address ✗, TCP -, TLS -, HTTP -, authenticated -, permission -, dataset -",
        fault: "The name saas.example could not be resolved (GET https://saas.example/orgs/acme).",
        remedy: "Check that this server can resolve the name of GitHub (DNS), or configure a proxy. (ScanNow: whoever runs this server)",
        alerts: &[
            "1:00 status_changed: Acme (GitHub) is Unhealthy | Unhealthy: Config Scan failed 3 times since 2026-03-02 10:00 UTC (unreachable, while reading organization). Risky Account Scan is Up.",
            "6:00 status_changed: Acme (GitHub) is Down | Down: Config Scan failed 8 times since 2026-03-02 10:00 UTC (unreachable, while reading organization). Risky Account Scan failed 3 times since 2026-03-02 15:00 UTC (unreachable, while reading members).",
        ],
        digest: &[
            "The name saas.example could not be resolved (GET https://saas.example/orgs/acme).",
            "What to do: Check that this server can resolve the name of GitHub (DNS), or configure a proxy. Who can: whoever runs this server.",
            "Parapet goes on trying; the next attempt is 3 Mar 2026 00:30 +07.",
        ],
        recovered: &[
            "8:30 status_changed: Acme (GitHub) is Unhealthy | Unhealthy: Risky Account Scan failed 3 times since 2026-03-02 15:00 UTC (unreachable, while reading members). Config Scan is Up.",
            "12:30 recovered: Acme (GitHub) is Up again | Recovered after 9 failures, 11 h 30 min not Up. Up: the latest finished run of every scan succeeded.",
        ],
        ..USUAL
    },
    Row {
        name: "TLS expired",
        breaks: Break::Certificate,
        cause: "unreachable",
        ladder: "name ✓, address ✓, TCP ✓, TLS ✗, HTTP -, authenticated -, permission -, dataset -",
        fault: "The certificate of saas.example has expired (GET https://saas.example/orgs/acme).",
        remedy: "Check the certificate of GitHub. If a proxy of your own inspects TLS, add its certificate authority to the configuration. (ScanNow: whoever runs this server)",
        alerts: &[
            "1:00 status_changed: Acme (GitHub) is Unhealthy | Unhealthy: Config Scan failed 3 times since 2026-03-02 10:00 UTC (unreachable, while reading organization). Risky Account Scan is Up.",
            "6:00 status_changed: Acme (GitHub) is Down | Down: Config Scan failed 8 times since 2026-03-02 10:00 UTC (unreachable, while reading organization). Risky Account Scan failed 3 times since 2026-03-02 15:00 UTC (unreachable, while reading members).",
        ],
        digest: &[
            "The certificate of saas.example has expired (GET https://saas.example/orgs/acme).",
            "What to do: Check the certificate of GitHub.",
        ],
        recovered: &[
            "8:30 status_changed: Acme (GitHub) is Unhealthy | Unhealthy: Risky Account Scan failed 3 times since 2026-03-02 15:00 UTC (unreachable, while reading members). Config Scan is Up.",
            "12:30 recovered: Acme (GitHub) is Up again | Recovered after 9 failures, 11 h 30 min not Up. Up: the latest finished run of every scan succeeded.",
        ],
        ..USUAL
    },
    Row {
        name: "429 for hours",
        breaks: Break::Throttled,
        broken_for: Duration::hours(9),
        timeline: &["0:05 Up: Up, Up", "2:30 Unhealthy: Unhealthy, Up", "8:30 Unhealthy: Down, Up"],
        cause: "throttled",
        ladder: "name ✓, address ✓, TCP ✓, TLS ✓, HTTP ✗, authenticated -, permission -, dataset -",
        fault: "The vendor's rate limit lasts until 2026-03-02T13:00:00Z, which is after the run's deadline (GET https://saas.example/orgs/acme, status 429, “You have exceeded a secondary rate limit”).",
        remedy: "Give Parapet a credential of its own, so that it shares its rate limit at GitHub with nobody, or choose a longer interval. (None: an administrator of GitHub)",
        alerts: &[
            "3:00 status_changed: Acme (GitHub) is Unhealthy | Unhealthy: Config Scan failed once since 2026-03-02 12:00 UTC (throttled, while reading organization). Risky Account Scan is Up. Now waiting for the vendor until 2026-03-02 13:00 UTC.",
        ],
        digest: &[
            "Config Scan failed twice since 2 Mar 2026 19:00 +07 (throttled, while reading organization).",
            "Waiting for GitHub, which asked for a pause, until 3 Mar 2026 00:00 +07.",
            "if it cannot finish by 3 Mar 2026",
        ],
        recovery: &["9:00 Unhealthy: Down, Up", "9:30 Up: Up, Up"],
        recovered: &[
            "10:00 recovered: Acme (GitHub) is Up again | Recovered after 3 failures, 7 h Unhealthy. Up: the latest finished run of every scan succeeded.",
        ],
        ..USUAL
    },
    Row {
        name: "500s",
        breaks: Break::Errors,
        cause: "remote",
        ladder: "name ✓, address ✓, TCP ✓, TLS ✓, HTTP ✗, authenticated -, permission -, dataset -",
        fault: "The vendor answered 4 times with a server error (GET https://saas.example/orgs/acme",
        remedy: "The fault is at GitHub; its status page may say more. Parapet goes on trying. (ScanNow: the vendor)",
        alerts: &[
            "1:00 status_changed: Acme (GitHub) is Unhealthy | Unhealthy: Config Scan failed 3 times since 2026-03-02 10:00 UTC (remote, while reading organization). Risky Account Scan is Up.",
            "6:00 status_changed: Acme (GitHub) is Down | Down: Config Scan failed 8 times since 2026-03-02 10:00 UTC (remote, while reading organization). Risky Account Scan failed 3 times since 2026-03-02 15:00 UTC (remote, while reading members).",
        ],
        digest: &[
            "The vendor answered 4 times with a server error (GET https://saas.example/orgs/acme",
            "What to do: The fault is at GitHub; its status page may say more. Parapet goes on trying. Who can: the vendor.",
        ],
        recovered: &[
            "8:30 status_changed: Acme (GitHub) is Unhealthy | Unhealthy: Risky Account Scan failed 3 times since 2026-03-02 15:00 UTC (remote, while reading members). Config Scan is Up.",
            "12:30 recovered: Acme (GitHub) is Up again | Recovered after 9 failures, 11 h 30 min not Up. Up: the latest finished run of every scan succeeded.",
        ],
        ..USUAL
    },
    Row {
        name: "HTML instead of JSON",
        breaks: Break::Html,
        cause: "protocol",
        ladder: "name ✓, address ✓, TCP ✓, TLS ✓, HTTP ✓, authenticated ✗, permission -, dataset -",
        fault: "An HTML page came instead of JSON, such as a sign-in page or a proxy's notice (GET https://saas.example/orgs/acme, status 200).",
        remedy: "Check that the address is GitHub itself and not a sign-in page or a proxy in front of it. If it is, GitHub has changed its answers: install the newest Parapet, or report the request above. (ScanNow: whoever runs this server)",
        alerts: &[
            "1:00 status_changed: Acme (GitHub) is Unhealthy | Unhealthy: Config Scan failed 3 times since 2026-03-02 10:00 UTC (protocol, while reading organization). Risky Account Scan is Up.",
            "6:00 status_changed: Acme (GitHub) is Down | Down: Config Scan failed 8 times since 2026-03-02 10:00 UTC (protocol, while reading organization). Risky Account Scan failed 3 times since 2026-03-02 15:00 UTC (protocol, while reading members).",
        ],
        digest: &[
            "An HTML page came instead of JSON, such as a sign-in page or a proxy's notice (GET https://saas.example/orgs/acme, status 200).",
            "What to do: Check that the address is GitHub itself and not a sign-in page or a proxy in front of it.",
        ],
        recovered: &[
            "8:30 status_changed: Acme (GitHub) is Unhealthy | Unhealthy: Risky Account Scan failed 3 times since 2026-03-02 15:00 UTC (protocol, while reading members). Config Scan is Up.",
            "12:30 recovered: Acme (GitHub) is Up again | Recovered after 9 failures, 11 h 30 min not Up. Up: the latest finished run of every scan succeeded.",
        ],
        ..USUAL
    },
    Row {
        name: "empty lists",
        tenant: Which::Scim,
        breaks: Break::Emptied,
        timeline: &[
            "0:05 Up: Up, Up",
            "0:30 Unhealthy: Unhealthy, Up",
            "1:00 Unhealthy: Down, Up",
            "2:00 Up: Up, Up",
        ],
        cause: "protocol",
        ladder: "name ✓, address ✓, TCP ✓, TLS ✓, HTTP ✓, authenticated ✓, permission ✓, dataset ✗",
        fault: "It had 14 records on 2026-03-02T09:00:00Z and now has none; that is believed when the next run agrees or an operator confirms it (GET https://saas.example/scim/v2/Users).",
        remedy: "",
        alerts: &[
            "1:00 status_changed: Acme (SCIM 2.0) is Unhealthy | Unhealthy: Config Scan failed 3 times since 2026-03-02 10:00 UTC (protocol, while reading users). Risky Account Scan is Up.",
            "2:00 warning_ahead: Acme (SCIM 2.0): Accounts went from 14 to 0 records 2026-03-02 11:30 UTC. Check that the credential still sees all of SCIM 2.0, and that nobody narrowed its access. If they were deleted, nothing is to do: the warning goes after a week. | Accounts went from 14 to 0 records 2026-03-02 11:30 UTC. Check that the credential still sees all of SCIM 2.0, and that nobody narrowed its access. If they were deleted, nothing is to do: the warning goes after a week.",
            "2:30 recovered: Acme (SCIM 2.0) is Up again | Recovered after 3 failures, 1 h 30 min Unhealthy. Up: the latest finished run of every scan succeeded.",
        ],
        digest: &[
            "The one application is Up.",
            "AHEAD ----- Acme - Accounts went from 14 to 0 records 2 Mar 2026 18:30 +07. Check that the credential still sees all of SCIM 2.0",
        ],
        recovery: &["7:10 Up: Up, Up"],
        recovered: &[],
        ..USUAL
    },
];
