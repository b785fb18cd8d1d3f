// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

/// The one function of Multicall3 that is asked, in its form: no bound of gas for each call.
contract Aggregate3 {
    struct Call3 {
        address target;
        bool allowFailure;
        bytes callData;
    }

    struct Result {
        bool success;
        bytes returnData;
    }

    function aggregate3(Call3[] calldata calls) external payable returns (Result[] memory results) {
        results = new Result[](calls.length);
        for (uint256 i = 0; i < calls.length; i++) {
            (results[i].success, results[i].returnData) = calls[i].target.call(calls[i].callData);
            require(results[i].success || calls[i].allowFailure, "Multicall3: call failed");
        }
    }
}

/// Uses up whatever gas it is given.
contract Glutton {
    fallback() external {
        assembly {
            invalid()
        }
    }
}
