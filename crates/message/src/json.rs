//! Reading and writing of the JSON objects in messages, always within a limit.

use serde::{Deserialize, Serialize};

use crate::error::MessageError;

/// Reads one object of at most `max` bytes; nothing is allocated for a longer one.
pub(crate) fn read<'a, T: Deserialize<'a>>(
    what: &'static str,
    bytes: &'a [u8],
    max: usize,
) -> Result<T, MessageError> {
    within(what, bytes.len(), max)?;
    // serde would also take an array of a struct's fields in order; the protocol has one form.
    if bytes.first() != Some(&b'{') {
        return Err(MessageError::Malformed {
            what,
            detail: "is not a JSON object".to_owned(),
        });
    }
    serde_json::from_slice(bytes).map_err(|error| MessageError::json(what, &error))
}

/// Writes an object, which is refused if a reader would refuse its length.
pub(crate) fn write<T: Serialize>(
    what: &'static str,
    value: &T,
    max: usize,
) -> Result<String, MessageError> {
    let text = serde_json::to_string(value).map_err(|error| MessageError::json(what, &error))?;
    within(what, text.len(), max)?;
    Ok(text)
}

fn within(what: &'static str, have: usize, max: usize) -> Result<(), MessageError> {
    if have > max {
        Err(MessageError::TooLarge { what, have, max })
    } else {
        Ok(())
    }
}
