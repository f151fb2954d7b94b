//! `parapet digest`: what would be mailed.

use std::process::ExitCode;

use ops::command_line;

use crate::cli::DigestCommand;
use crate::failure::Failure;
use crate::output;
use crate::wiring::World;

pub(crate) async fn run(command: DigestCommand) -> Result<ExitCode, Failure> {
    let DigestCommand::Preview { who, html, config } = command;
    let world = World::open(config.config.as_ref()).await?;
    let who = who.unwrap_or_default();
    let preview = world.ops.digest_preview(&command_line(), &who).await?;
    let Some(mail) = preview.mail else {
        let name = preview.choices.iter().find(|c| c.active).map_or(who, |c| c.title.clone());
        return Err(Failure::usage(format!("{name} answers for no application, so there is no digest.")));
    };
    if html {
        output::say(&mail.html);
        return Ok(ExitCode::SUCCESS);
    }
    let to = if mail.to.is_empty() { "nobody: no address is known".to_owned() } else { mail.to.join(", ") };
    output::say(&format!("To: {to}\nSubject: {}\n\n{}", mail.subject, mail.text.trim_end()));
    if mail.silent {
        output::note("this would not be sent: its reader wants no digest on days on which all is well");
    }
    Ok(ExitCode::SUCCESS)
}
