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
         sizes    {} bytes\nprices   to the client {} p$ a byte in, {} p$ a byte out, at least {} p$ a packet, \
         {} p$ a kB and hour of storage, {} bytes a day free; to the forwarder {} p$ a byte\n\
         fixed    until {} (unix time)\nvalid    until {} (unix time), {days} days\n\
         The line on standard output is the record to hand out.",
        body.node,
        body.network,
        record.certificate.encryption_key(),
        body.urls.join(" "),
        body.cash,
        sizes.join(", "),
        prices.in_per_byte,
        prices.out_per_byte,
        prices.minimum_charge,
        prices.storage_per_kb_hour,
        prices.free_bytes_per_day,
        prices.relay_per_byte,
        body.prices_until,
        body.valid_until,
    )
}
