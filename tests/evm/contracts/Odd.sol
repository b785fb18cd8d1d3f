// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// Fails every call with the same bytes.
contract Reverts {
    bytes private data;

    constructor(bytes memory data_) {
        data = data_;
    }

    fallback() external payable {
        bytes memory reason = data;
        assembly {
            revert(add(reason, 32), mload(reason))
        }
    }
}

/// Answers or fails with as many zero bytes as asked, and can use up all gas.
contract Huge {
    error Odd(address who, string why);

    function answer(uint256 bytes_) external pure {
        assembly {
            return(0, bytes_)
        }
    }

    function fail(uint256 bytes_) external pure {
        assembly {
            revert(0, bytes_)
        }
    }

    function custom() external view {
        revert Odd(msg.sender, unicode"\u202etxt\u001b[31m");
    }

    function panic(uint256 divisor) external pure returns (uint256) {
        return 1 / divisor;
    }

    function burn() external view {
        while (gasleft() > 0) {}
    }

    receive() external payable {
        revert("no coins here");
    }
}
