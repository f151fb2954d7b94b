//! Two nodes, one killed while it scans and sends: each due scan has one outcome, each digest is one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::database::{Database, now};
use crate::installation::{Installation, QUICK};
use crate::node::{Node, until};
use crate::whole;

const OWNERS: usize = 6;

/// A mail server that keeps everything it was sent, and confirms it only once it is told to.
struct Sink {
    port: u16,
    mails: Arc<Mutex<Vec<String>>>,
    confirm: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sink {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let mails = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&mails);
        let (confirm, confirmed) = watch::channel(false);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(dialogue(stream, Arc::clone(&kept), confirmed.clone()));
            }
        });
        Self { port, mails, confirm, task }
    }

    fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What came, by Message-ID.
    fn by_id(&self) -> BTreeMap<String, Vec<String>> {
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for mail in self.mails() {
            all.entry(header(&mail, "Message-ID: ")).or_default().push(mail);
        }
        all
    }
}

fn header(mail: &str, name: &str) -> String {
    let line = mail.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name}in {mail}")).to_owned()
}

/// RFC 5321, as far as it is needed to take a mail. Ends with the connection, however that ends.
async fn dialogue(
    stream: TcpStream,
    mails: Arc<Mutex<Vec<String>>>,
    mut confirmed: watch::Receiver<bool>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 sink\r\n").await.ok()?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let answer: &[u8] = match line.get(..4).unwrap_or_default().to_uppercase().as_str() {
            "EHLO" => b"250-sink\r\n250 8BITMIME\r\n",
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.ok()?;
                let mut mail = String::new();
                while !mail.ends_with("\r\n.\r\n") {
                    if stream.read_line(&mut mail).await.ok()? == 0 {
                        return None;
                    }
                }
                mails.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
                confirmed.wait_for(|yes| *yes).await.ok()?;
                b"250 taken\r\n"
            }
            "QUIT" => b"221 bye\r\n",
            _ => b"250 fine\r\n",
        };
        stream.write_all(answer).await.ok()?;
    }
}

/// Owners whose digest has been due for an hour, one for each application.
async fn owners(here: &Installation) {
    let now = now();
    let minute = (now / 60_000 - 60).rem_euclid(24 * 60);
    let instances = here.database.ask("SELECT id FROM instances ORDER BY name").await;
    for (n, instance) in instances.iter().enumerate() {
        let created = now - 3 * 86_400_000;
        here.database
            .change(&format!(
                "INSERT INTO owners (id, name, name_sort, email, email_key, time_zone, active, created_at, digest_minute) \
                 VALUES ('owner-{n}', 'Owner {n}', 'owner {n}', 'owner{n}@example.com', 'owner{n}@example.com', 'UTC', TRUE, \
                 {created}, {minute}); UPDATE instances SET owner_id = 'owner-{n}' WHERE id = '{}'",
                instance[0]
            ))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_nodes_one_is_killed_while_it_scans_and_sends() {
    let Some(database) = Database::postgresql().await else { return };
    let sink = Sink::start().await;
    let mail = format!(
        "[mail]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\nfrom = \"Parapet <parapet@example.com>\"\n",
        sink.port
    );
    let here = Installation::on(database, OWNERS, QUICK).await;
    owners(&here).await;
    for server in here.tenants.iter() {
        server.tenant().latency = Duration::from_secs(2);
    }
    for name in ["one", "two"] {
        // Few workers, so that both nodes have scans of their own for a while.
        let node = format!("{mail}[node]\nname = \"{name}\"\n[engine]\nlease_seconds = 3\nworkers = 2\n");
        here.configure(&format!("{name}.toml"), &node);
    }
    let holds = async |table: &str, name: &str| {
        let held = format!("SELECT COUNT(*) FROM {table} WHERE lease_holder = '{name}'");
        here.database.number(&held).await > 0
    };
    // The first is in the middle of two scans and of a mail, which has arrived and is not confirmed; then the second is, too.
    let one = Node::spawn(&here, &["--config", "one.toml"]);
    until("the first node scans and sends", async || holds("scans", "one").await && sink.mails().len() == 1)
        .await;
    let two = Node::spawn(&here, &["--config", "two.toml"]);
    until("the second does", async || holds("scans", "two").await && sink.mails().len() == 2).await;
    until("the first is at it again", async || holds("scans", "one").await && holds("outbox", "one").await)
        .await;
    one.kill();
    let cut = here.database.ask("SELECT run_id FROM scans WHERE lease_holder = 'one'").await.len();
    sink.confirm.send_replace(true);
    for server in here.tenants.iter() {
        server.tenant().latency = Duration::from_millis(5);
    }
    // Its claim of a message lasts three minutes, which are made to pass here.
    let over = "UPDATE outbox SET lease_expires_at = 0 WHERE lease_holder = 'one' AND state = 'waiting'";
    here.database.change(over).await;
    here.database.wake().await;

    let sent = "SELECT COUNT(*) FROM outbox WHERE state = 'sent'";
    let all = i64::try_from(OWNERS).expect("few");
    until("every digest is sent", async || here.database.number(sent).await == all).await;
    let scans = i64::try_from(here.scans()).expect("few");
    until("every scan has an outcome", async || {
        here.database.number("SELECT COUNT(*) FROM runs").await >= scans
    })
    .await;

    // Each due scan was claimed once and has one outcome: those that the dead node held have failed as cut off.
    let once = "SELECT COUNT(*) FROM scans s WHERE s.fence = 1 AND \
                (SELECT COUNT(*) FROM runs r WHERE r.instance_id = s.instance_id AND r.kind = s.kind) = 1";
    assert_eq!(here.database.number(once).await, scans);
    let outcomes = "SELECT COUNT(*) FROM runs WHERE outcome = 'failed' AND cause = 'internal'";
    assert_eq!(here.database.number(outcomes).await, i64::try_from(cut).expect("few"));
    let good = "SELECT COUNT(*) FROM runs WHERE outcome = 'succeeded'";
    assert_eq!(here.database.number(good).await, scans - i64::try_from(cut).expect("few"));

    // Each owner has one digest of the day, and one mail: what the dead node was sending has come twice, word for word.
    one_each(&here, &sink).await;
    let again = Node::start(&here, &["--config", "one.toml"]).await;
    let before = sink.mails().len();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(sink.mails().len(), before, "a node that starts has nothing to tell again");
    one_each(&here, &sink).await;
    whole::check(&here.database, &std::collections::BTreeSet::new()).await;
    println!(
        "{scans} scans, {cut} cut off; {OWNERS} digests, one of them delivered twice under one Message-ID"
    );
    again.stop().await;
    two.stop().await;
}

async fn one_each(here: &Installation, sink: &Sink) {
    let rows = here
        .database
        .ask("SELECT recipient, COUNT(*) FROM digests GROUP BY recipient ORDER BY recipient")
        .await;
    let expected: Vec<Vec<String>> =
        (0..OWNERS).map(|n| vec![format!("owner-{n}"), "1".to_owned()]).collect();
    assert_eq!(rows, expected);
    assert_eq!(
        here.database.number("SELECT COUNT(*) FROM outbox").await,
        i64::try_from(OWNERS).expect("few")
    );
    let by_id = sink.by_id();
    assert_eq!(by_id.len(), OWNERS, "{:?}", by_id.keys());
    let mut to: Vec<String> = by_id.values().map(|copies| header(&copies[0], "To: ")).collect();
    to.sort();
    for (n, to) in to.iter().enumerate() {
        assert!(to.contains(&format!("owner{n}@example.com")), "{to}");
    }
    // Whoever cannot know whether a mail was taken sends it again. A node sends one at a time.
    let twice: Vec<_> = by_id.values().filter(|copies| copies.len() > 1).collect();
    let [copies] = &twice[..] else { panic!("not one mail came again: {twice:?}") };
    assert!(copies.len() == 2 && copies[0] == copies[1], "{copies:?}");
}
