use crate::{Account, AccountId, Transfer, TransferId};

/// What [`plan`](crate::plan) reads: the rows as they stand.
///
/// Whoever writes the resulting [`Changes`](crate::Changes) must see to it that nothing else was
/// written in between: one writer, or one transaction around reading and writing.
pub trait Books {
    /// Why a row could not be read.
    type Error;

    /// The account, if it is open.
    ///
    /// # Errors
    /// When the store fails; an account that is not there is `Ok(None)`.
    fn account(&self, id: &AccountId) -> Result<Option<Account>, Self::Error>;

    /// The row of the journal with this id.
    ///
    /// # Errors
    /// When the store fails; a row that is not there is `Ok(None)`.
    fn transfer(&self, id: &TransferId) -> Result<Option<Transfer>, Self::Error>;
}

impl<B: Books + ?Sized> Books for &B {
    type Error = B::Error;

    fn account(&self, id: &AccountId) -> Result<Option<Account>, Self::Error> {
        (**self).account(id)
    }

    fn transfer(&self, id: &TransferId) -> Result<Option<Transfer>, Self::Error> {
        (**self).transfer(id)
    }
}
