// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title A token for tests
/// @dev Everybody may mint. It can take a fee on each transfer, and call back into a contract from
/// within a transfer, as hostile tokens do.
contract TestToken {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;
    uint256 public fee;
    address private callee;
    bytes private call_;

    event Transfer(address indexed from, address indexed to, uint256 amount);
    event Approval(address indexed owner, address indexed spender, uint256 amount);

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
        emit Transfer(address(0), to, amount);
    }

    function setFee(uint256 newFee) external {
        fee = newFee;
    }

    /// @dev Makes the next transfer call `target`.
    function setCallback(address target, bytes calldata data) external {
        (callee, call_) = (target, data);
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        emit Approval(msg.sender, spender, amount);
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        allowance[from][msg.sender] -= amount;
        move(from, to, amount);
        return true;
    }

    function move(address from, address to, uint256 amount) private {
        if (callee != address(0)) {
            address target = callee;
            callee = address(0);
            (bool done, bytes memory answer) = target.call(call_);
            if (!done) {
                assembly ("memory-safe") {
                    revert(add(answer, 0x20), mload(answer))
                }
            }
        }
        balanceOf[from] -= amount;
        balanceOf[to] += amount - fee;
        emit Transfer(from, to, amount - fee);
    }
}
