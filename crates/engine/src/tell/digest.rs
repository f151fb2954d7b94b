//! The daily digests: whose day has come due, and the one row with its mails.

use model::digest::{Material, Recipient};
use model::time::{Duration, Timestamp};
use notify::due::{Pace, parse_day};
use notify::mail::Mail;
use store::digests::{self, Facts, Latest, Made};
use store::outbox::{MAIL, NewParcel};
use store::{StoreError, operators, owners};

use super::{Context, Message};

/// Changes this recent are told by the next digest: they may still be being stored.
const SETTLING: Duration = Duration::minutes(2);

/// Somebody whose digest is owed.
struct Owed {
    recipient: Recipient,
    name: String,
    /// Addresses, each with a name.
    to: Vec<(String, String)>,
    pace: Pace,
    day: String,
    quiet: bool,
}

/// Makes every digest that is owed. Without a mail server none is: it would be counted as told.
pub(crate) async fn look(context: &Context, now: Timestamp) -> Result<(), StoreError> {
    if context.setup.mail.is_none() {
        return Ok(());
    }
    let forgotten = digests::forget_ahead(&context.db, now).await?;
    if forgotten > 0 {
        tracing::warn!(forgotten, "digests that were made while the clock ran ahead do not count");
    }
    let mut latest = digests::latest(&context.db).await?;
    let clock = digests::clock(&context.db, now).await?;
    if latest.values().any(|told| told.until > clock) {
        digests::told_until_now(&context.db, clock).await?;
        latest = digests::latest(&context.db).await?;
        tracing::warn!("the clock was set back: what is told by the next digests is new since then");
    }
    let owed = owed(context, &latest, now).await?;
    if owed.is_empty() {
        return Ok(());
    }
    let facts = digests::facts(&context.db, &*context.left(now).await?, now).await?;
    for one in owed {
        if context.is_draining() {
            return Ok(());
        }
        make(context, &facts, &one, latest.get(one.recipient.key()), (now, clock)).await?;
    }
    Ok(())
}

async fn owed(
    context: &Context,
    latest: &std::collections::BTreeMap<String, Latest>,
    now: Timestamp,
) -> Result<Vec<Owed>, StoreError> {
    let due = |key: &str, pace: &Pace, since: Timestamp| {
        let made = latest.get(key).and_then(|l| parse_day(&l.day));
        let day = pace.due(since, made, now)?.to_string();
        let idle = context.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        (idle.get(key) != Some(&day)).then_some(day)
    };
    let mut all = Vec::new();
    for owner in owners::all(&context.db).await?.into_iter().filter(|o| o.active && o.instances > 0) {
        let pace = Pace::new(&owner.time_zone, owner.digest_minute);
        let Some(day) = due(owner.id.as_str(), &pace, owner.created_at) else { continue };
        all.push(Owed {
            to: vec![(owner.email, owner.name.clone())],
            name: owner.name,
            recipient: Recipient::Owner(owner.id),
            pace,
            day,
            quiet: owner.quiet,
        });
    }
    let pace = Pace::new(&context.setup.admin_zone, context.setup.admin_minute);
    if let Some(day) = due(Recipient::Admins.key(), &pace, Timestamp(i64::MIN)) {
        let to = admins(context).await?;
        all.push(Owed {
            recipient: Recipient::Admins,
            name: "the admins".to_owned(),
            to,
            pace,
            day,
            quiet: false,
        });
    }
    Ok(all)
}

/// Where the admins' digest goes: admins with an address, and the configured ones, each address once.
async fn admins(context: &Context) -> Result<Vec<(String, String)>, StoreError> {
    let mut to: Vec<(String, String)> = operators::all(&context.db)
        .await?
        .into_iter()
        .filter(|o| o.active && o.role == "admin")
        .filter_map(|o| o.email.map(|email| (email, o.name)))
        .collect();
    to.extend(context.setup.admins.iter().map(|email| (email.clone(), String::new())));
    let mut seen = std::collections::BTreeSet::new();
    to.retain(|(email, _)| seen.insert(email.to_lowercase()));
    Ok(to)
}

async fn make(
    context: &Context,
    facts: &Facts,
    owed: &Owed,
    latest: Option<&Latest>,
    (now, clock): (Timestamp, Timestamp),
) -> Result<(), StoreError> {
    let key = owed.recipient.key();
    let set_aside = || {
        let mut idle = context.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        idle.insert(key.to_owned(), owed.day.clone());
    };
    if !facts.concerns(&owed.recipient) {
        set_aside();
        return Ok(());
    }
    if owed.to.is_empty() {
        tracing::warn!(
            "applications have no active owner, and no admin has an e-mail address: nobody gets their digest. Assign \
             owners, enter an address under Settings, or set mail.admins in the configuration"
        );
        set_aside();
        return Ok(());
    }
    let until = clock - SETTLING;
    let since = latest.map(|l| l.until);
    let product = |i: &store::instances::Instance| digests::Product {
        name: context.product(&i.app),
        idles_at: context.idles_at(i),
    };
    let applications = facts.applications(&context.db, &owed.recipient, since, until, now, &product).await?;
    let material =
        Material { name: owed.name.clone(), recipient: owed.recipient.clone(), since, until, applications };
    let (written, unsubscribe) = write(context, &material, owed, now)?;
    let silent = owed.quiet && written.all_clear;
    let mut parcels = Vec::new();
    for (n, (address, name)) in owed.to.iter().enumerate().filter(|_| !silent) {
        let suffix = if n == 0 { String::new() } else { format!(".{n}") };
        let mail = Mail {
            to: address.clone(),
            to_name: name.clone(),
            subject: written.subject.clone(),
            text: written.text.clone(),
            html: written.html.clone(),
            // With the instant: a day whose digest was forgotten has another, which no reader must take for a repetition.
            message_id: format!("digest.{}.{key}{suffix}.{}@{}", owed.day, now.0 / 1000, context.setup.host),
            made_at: now,
            unsubscribe: unsubscribe.clone(),
        };
        parcels.push(NewParcel {
            id: context.db.new_id(now),
            destination: MAIL.to_owned(),
            lane: format!("digest:{key}:{address}"),
            kind: "digest".to_owned(),
            title: written.subject.clone(),
            addressee: address.clone(),
            body: Message::Mail(Box::new(mail)).store()?,
        });
    }
    let made = Made {
        recipient: key.to_owned(),
        day: owed.day.clone(),
        made_at: now,
        until,
        subject: written.subject,
        all_clear: written.all_clear,
        mails: u32::try_from(parcels.len()).unwrap_or(u32::MAX),
    };
    if digests::make(&context.db, &made, &parcels).await? {
        tracing::info!(recipient = key, day = made.day, mails = made.mails, "digest made");
    }
    Ok(())
}

/// Writes it; an owner's all-clear one with the link that opts out of those.
fn write(
    context: &Context,
    material: &Material,
    owed: &Owed,
    now: Timestamp,
) -> Result<(notify::digest::Written, Option<String>), StoreError> {
    let unsubscribe = match (&material.recipient, &context.setup.base) {
        (Recipient::Owner(id), Some(base)) if material.is_all_clear(now) => {
            let token = owners::quiet_token(&context.db, id, now)?;
            Some(format!("{base}/unsubscribe?token={token}"))
        }
        _ => None,
    };
    let frame = notify::digest::Frame {
        base: context.setup.base.as_deref(),
        unsubscribe: unsubscribe.as_deref(),
        simulated: context.setup.simulated,
    };
    let written = notify::digest::write(material, &owed.pace, now, &frame)
        .map_err(|e| StoreError::Unreadable { detail: format!("a digest to write: {e}") })?;
    Ok((written, unsubscribe))
}
