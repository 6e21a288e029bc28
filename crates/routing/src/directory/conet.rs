//! Lists of node keys in the shape that CoNET publishes: keys without addresses or signatures.

use layer_minus_packet::KeyId;
use layer_minus_seal::Certificate;
use serde::Deserialize;

use super::{Entry, Line, json_error, lines, printable};

/// Other fields (`country`, and whatever comes later) are theirs, and skipped.
#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "keyId")]
    key_id: String,
    #[serde(rename = "armoredPublicKey")]
    armored: String,
}

/// Reads `[{"keyId", "country", "armoredPublicKey"}, …]`.
///
/// The stated key ID is that of the encryption subkey, by which CoNET's packets are routed. An
/// entry whose certificate has another one is refused: packets would go to whoever has that.
#[must_use]
pub fn import_conet(json: &str) -> Vec<Line> {
    lines(json, serde_json::from_str, |number, text| {
        let listed: Listed = match serde_json::from_str(text) {
            Ok(listed) => listed,
            Err(error) => return Line::refused(format!("entry {number}"), json_error(&error)),
        };
        let name = match printable(&listed.key_id) {
            name if name.is_empty() => format!("entry {number}"),
            name => name,
        };
        Line {
            name,
            result: check(&listed).map(Entry::Unaddressed),
        }
    })
}

fn check(listed: &Listed) -> Result<Certificate, String> {
    let stated: KeyId = listed
        .key_id
        .parse()
        .map_err(|_| "stated key ID is not 16 hex digits".to_owned())?;
    let certificate =
        Certificate::from_armored(listed.armored.as_bytes()).map_err(|error| error.to_string())?;
    let found = certificate.encryption_key_id();
    if found != stated {
        return Err(format!(
            "stated key ID {stated} is not that of the certificate's encryption subkey, {found}"
        ));
    }
    Ok(certificate)
}
