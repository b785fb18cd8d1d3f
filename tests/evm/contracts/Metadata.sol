// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// A token whose symbol and name are whatever it was made with, and whose decimals are any number.
contract NamedCoin {
    string public symbol;
    string public name;
    uint256 public decimals;
    uint256 public totalSupply = 10 ** 24;
    mapping(address => uint256) public balanceOf;

    constructor(string memory symbol_, string memory name_, uint256 decimals_) {
        (symbol, name, decimals) = (symbol_, name_, decimals_);
        balanceOf[msg.sender] = totalSupply;
    }
}

/// Symbol and name as 32 bytes, as some early tokens have them.
contract Bytes32Coin {
    bytes32 public symbol = "OLD";
    bytes32 public name = "Old Coin";
    uint8 public decimals = 18;
}

/// Every question about it fails.
contract RevertingMetadata {
    function symbol() external pure returns (string memory) {
        revert("no symbol");
    }

    function name() external pure returns (string memory) {
        revert();
    }

    function decimals() external pure returns (uint8) {
        assert(false);
        return 0;
    }
}

/// Answers every call with the same bytes, whatever was asked.
contract Answers {
    bytes private answer;

    constructor(bytes memory answer_) {
        answer = answer_;
    }

    fallback() external payable {
        bytes memory data = answer;
        assembly {
            return(add(data, 32), mload(data))
        }
    }
}
