//! One file per command, or per family.

pub(crate) mod account;
mod backup;
mod card;
mod contacts;
mod init;
mod nodes;
mod outbox;
mod quote;
mod register;
mod send;
mod statement;

use crate::{
    args::{Cli, Command},
    context::Context,
    directory,
    error::AppError,
    listen,
    out::Out,
};

/// Runs a command line.
pub(crate) async fn run(cli: Cli, out: Out) -> Result<(), AppError> {
    let Cli { global, command } = cli;
    let open = || Context::open(&global, out);
    match command {
        Command::Init(args) => init::run(&global, out, args).await,
        Command::Restore(args) => backup::restore(&global, out, &args),
        Command::Card(args) => card::run(&mut open()?, args).await,
        Command::Contacts(args) => contacts::run(&mut open()?, args.action),
        Command::Nodes(args) => nodes::run(&mut open()?, args.action).await,
        Command::Register(args) => register::run(&mut open()?, args).await,
        Command::Send(args) => send::run(&mut open()?, args).await,
        Command::Listen(args) => listen::run(&mut open()?, args, None).await,
        Command::Status(args) if args.statement => {
            let statement = async |ctx: &mut Context| statement::run(ctx, &args).await;
            directory::with_news(&mut open()?, &args.via, statement).await
        }
        Command::Status(args) => {
            let status = async |ctx: &mut Context| account::status(ctx, &args.via).await;
            directory::with_news(&mut open()?, &args.via, status).await
        }
        Command::Quote(args) => quote::run(&open()?, args),
        Command::Backup(args) => backup::backup(&open()?, &args),
        Command::Authorize(args) => {
            let authorize = async |ctx: &mut Context| account::authorize(ctx, &args).await;
            directory::with_news(&mut open()?, &args.via, authorize).await
        }
        Command::Channel { all } => account::channel(&open()?, all),
        Command::Revoke(via) => {
            let revoke = async |ctx: &mut Context| account::revoke(ctx, &via).await;
            directory::with_news(&mut open()?, &via, revoke).await
        }
        Command::Unregister(via) => {
            let unregister = async |ctx: &mut Context| account::unregister(ctx, &via).await;
            directory::with_news(&mut open()?, &via, unregister).await
        }
    }
}
