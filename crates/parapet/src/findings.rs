//! `parapet findings`: the stored findings as files.

use std::process::ExitCode;

use futures_util::StreamExt as _;
use model::view::FindingsQuery;
use ops::{FindingsFormat, command_line};

use crate::cli::{ExportArgs, FindingsCommand};
use crate::failure::Failure;
use crate::output;
use crate::scan::product;
use crate::wiring::World;

pub(crate) async fn run(command: FindingsCommand) -> Result<ExitCode, Failure> {
    match command {
        FindingsCommand::Export(args) => export(args).await,
    }
}

async fn export(args: ExportArgs) -> Result<ExitCode, Failure> {
    let world = World::open(args.config.config.as_ref()).await?;
    let instance = match &args.application {
        Some(name) => Some(world.find(name).await?.instance.id),
        None => None,
    };
    if let Some(name) = &args.product {
        product(&world.catalog, name)?;
    }
    // A filter that can match nothing would print a list that looks like good news.
    if let Some(id) = &args.check
        && !world.catalog.apps.values().any(|a| a.check(&id.as_str().into()).is_some())
    {
        return Err(Failure::usage(format!("There is no check {id}. `parapet check list` shows them.")));
    }
    let query = FindingsQuery {
        instance,
        app: args.product.as_deref().map(Into::into),
        severity: args.severity,
        state: args.state,
        scan: args.kind,
        check: args.check.as_deref().map(Into::into),
        resource: args.resource,
        owner: None,
        stale: args.stale.then_some(true),
        search: args.search,
        cut: model::view::Cut::default(),
    };
    let mut chunks = world.ops.export_findings(&command_line(), &query, args.format.into()).await?;
    let mut file = output::File::create(args.output.as_deref())?;
    while let Some(chunk) = chunks.next().await {
        match chunk {
            Ok(chunk) => file.write(&chunk)?,
            Err(refusal) => {
                file.abandon();
                return Err(refusal.into());
            }
        }
    }
    file.finish()?;
    Ok(ExitCode::SUCCESS)
}

impl From<crate::cli::FileFormat> for FindingsFormat {
    fn from(format: crate::cli::FileFormat) -> Self {
        use crate::cli::FileFormat;
        match format {
            FileFormat::Csv => Self::Csv,
            FileFormat::Json => Self::Json,
            FileFormat::Ocsf => Self::Ocsf,
            FileFormat::Sarif => Self::Sarif,
        }
    }
}
