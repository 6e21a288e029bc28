//! `record`: what to hand out. The signed record goes to standard output whether or not a program
//! asks, so that `record > FILE` is a file that others can import; people read the summary on the
//! error stream.

use std::path::Path;

use layer_minus_http::clock;
use layer_minus_message::NodeRecord;

use crate::{
    app::Composition, config::Config, error::DaemonError, keys, out::Out, password, record,
};

pub(crate) fn run(
    composition: Composition,
    config: &Config,
    password_file: Option<&Path>,
    out: Out,
) -> Result<(), DaemonError> {
    let password = password::find(password_file)?;
    let keys = keys::load(config, &password)?;
    let now = clock::now();
    let record = record::current(config, composition, &keys, now)?;
    out.object(&record.signed)?;
    out.note(|| describe(&record, now));
    Ok(())
}

fn describe(record: &NodeRecord, now: u64) -> String {
    let body = &record.body;
    let prices = &body.prices;
    let days = body.valid_until.saturating_sub(now) / 86_400;
    let sizes: Vec<String> = body.sizes.iter().map(u32::to_string).collect();
    let kind = if body.takes_clients {
        "recipient"
    } else {
        "relay"
    };
    format!(
        "node     {} ({kind})\nnetwork  {}\nkey      {}\nurls     {}\ncash     {}\n\
         sizes    {} bytes\nprices   {} p$ a byte to the client, {} p$ a byte to the forwarder, \
         {} p$ a kB and hour of storage\nvalid    until {} (unix time), {days} days\n\
         The line on standard output is the record to hand out.",
        body.node,
        body.network,
        record.certificate.encryption_key(),
        body.urls.join(" "),
        body.cash,
        sizes.join(", "),
        prices.recipient_per_byte,
        prices.relay_per_byte,
        prices.storage_per_kb_hour,
        body.valid_until,
    )
}
