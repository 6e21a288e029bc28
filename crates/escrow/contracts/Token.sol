// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

interface IERC20 {
    function balanceOf(address account) external view returns (uint256);
    function transfer(address to, uint256 amount) external returns (bool);
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
}

/// @title Careful transfers
/// @dev Tokens differ: some return nothing, some `false`, some keep a part for themselves.
library Token {
    /// The token did not do as it was told.
    error TransferFailed(address token);
    /// The token delivered another amount than it was told to.
    error NotDelivered(address token, uint256 wanted, uint256 delivered);

    /// @dev Takes exactly `amount` from `from`.
    function pull(IERC20 token, address from, uint256 amount) internal {
        uint256 before = token.balanceOf(address(this));
        call(token, abi.encodeCall(token.transferFrom, (from, address(this), amount)));
        uint256 delivered = token.balanceOf(address(this)) - before;
        if (delivered != amount) revert NotDelivered(address(token), amount, delivered);
    }

    /// @dev Sends `amount` to `to`. Nothing is sent for nothing: some tokens refuse that.
    function push(IERC20 token, address to, uint256 amount) internal {
        if (amount != 0) call(token, abi.encodeCall(token.transfer, (to, amount)));
    }

    function call(IERC20 token, bytes memory data) private {
        (bool done, bytes memory answer) = address(token).call(data);
        if (!done || (answer.length == 0 ? address(token).code.length == 0 : !abi.decode(answer, (bool)))) {
            revert TransferFailed(address(token));
        }
    }
}
