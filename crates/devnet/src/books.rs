//! The books of lanes: what each recipient says that it promised a relay, beside what the relay says
//! that it was promised.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    error::{Error, Result},
    nodes::Node,
    play::Stage,
    story::Story,
};

/// For the last note to be taken in.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);

/// One side's figures of a lane.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    promised_pusd: String,
    /// Channel ids, units in all, and signatures.
    papers: Vec<[String; 3]>,
}

impl Stage {
    /// Both sides of every lane, which agree.
    pub(crate) fn books(&self, story: &Story) -> Result<()> {
        story.chapter("Who owes whom");
        let nodes = self.nodes.all();
        let mut lanes = 0;
        for recipient in nodes.iter().filter(|node| node.recipient) {
            for relay in nodes.iter().filter(|node| !node.recipient) {
                lanes += usize::from(compare(recipient, relay, story)?);
            }
        }
        let any = lanes > 0;
        story.check(any, "at least one relay was promised something");
        any.then_some(())
            .ok_or_else(|| Error::Differs("nobody was promised anything".to_owned()))
    }
}

/// Whether there is a lane with a promise between the two.
fn compare(recipient: &Node, relay: &Node, story: &Story) -> Result<bool> {
    let began = Instant::now();
    loop {
        let owed = side(recipient, relay, "owed")?;
        let due = side(relay, recipient, "due")?;
        let Some(line) = &owed else {
            return Ok(false);
        };
        if owed != due && began.elapsed() < PATIENCE {
            thread::sleep(PAUSE);
            continue;
        }
        let (debtor, creditor) = (recipient.name(), relay.name());
        let text = format!(
            "{debtor} promised {creditor} {} p$ by a voucher of {} units; {creditor} holds {}",
            line.promised_pusd,
            line.papers.last().map_or("0", |paper| paper[1].as_str()),
            due.as_ref()
                .map_or("nothing", |due| due.promised_pusd.as_str()),
        );
        let agree = owed == due;
        story.check(agree, &text);
        if !agree {
            return Err(Error::Differs(text));
        }
        let details = json!({
            "debtor": recipient.address, "creditor": relay.address,
            "promised_pusd": line.promised_pusd,
            "vouchers": line.papers.iter().map(|[channel, units, signature]| json!({
                "channel": channel, "units": units, "signature": signature,
            })).collect::<Vec<_>>(),
        });
        story.step("books", &debtor, &text, details);
        return Ok(!line.papers.is_empty());
    }
}

/// What `node` says of its lane with `other`; none before anything was promised.
fn side(node: &Node, other: &Node, side: &str) -> Result<Option<Line>> {
    let printed = node.ask(&["lanes", "list"])?;
    let lines: BTreeMap<&str, &Value> = printed
        .iter()
        .filter(|line| line["side"] == side)
        .filter_map(|line| Some((line["node"].as_str()?, line)))
        .collect();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let line = lines.get(other.address.as_str()).map(|line| Line {
        promised_pusd: text(&line["promised_pusd"]),
        papers: line["papers"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|paper| ["id", "units", "signature"].map(|field| text(&paper[field])))
            .filter(|paper| paper[1] != "0")
            .collect(),
    });
    Ok(line.filter(|line| !line.papers.is_empty()))
}
