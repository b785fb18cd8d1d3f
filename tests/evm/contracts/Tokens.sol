// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// An ordinary ERC-20 whose parts the others below spoil.
contract Coin {
    string public symbol = "COIN";
    string public name = "Coin";
    uint8 public decimals = 18;
    uint256 public totalSupply;
    address public owner;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);

    modifier onlyOwner() {
        require(msg.sender == owner, "not the owner");
        _;
    }

    constructor(uint256 supply) {
        owner = msg.sender;
        _mint(msg.sender, supply);
    }

    function approve(address spender, uint256 value) public virtual returns (bool) {
        _approve(msg.sender, spender, value);
        return true;
    }

    function transfer(address to, uint256 value) public virtual returns (bool) {
        _move(msg.sender, to, value);
        return true;
    }

    function transferFrom(address from, address to, uint256 value) public virtual returns (bool) {
        _spend(from, value);
        _move(from, to, value);
        return true;
    }

    function _approve(address from, address spender, uint256 value) internal {
        allowance[from][spender] = value;
        emit Approval(from, spender, value);
    }

    function _spend(address from, uint256 value) internal {
        uint256 allowed = allowance[from][msg.sender];
        require(allowed >= value, "allowance");
        if (allowed != type(uint256).max) allowance[from][msg.sender] = allowed - value;
    }

    function _mint(address to, uint256 value) internal {
        totalSupply += value;
        balanceOf[to] += value;
        emit Transfer(address(0), to, value);
    }

    function _move(address from, address to, uint256 value) internal virtual {
        require(balanceOf[from] >= value, "balance");
        balanceOf[from] -= value;
        balanceOf[to] += value;
        emit Transfer(from, to, value);
    }
}

/// Keeps a part of each transfer for its owner, as much as the owner likes at the time.
contract TaxedCoin is Coin {
    uint256 public taxBps;

    constructor(uint256 supply, uint256 bps) Coin(supply) {
        taxBps = bps;
    }

    function setTax(uint256 bps) external onlyOwner {
        taxBps = bps;
    }

    function _move(address from, address to, uint256 value) internal override {
        uint256 tax = from == owner || to == owner ? 0 : (value * taxBps) / 10_000;
        super._move(from, to, value - tax);
        if (tax != 0) super._move(from, owner, tax);
    }
}

/// Can be bought from a pool; once `trap` is set nobody but the owner can sell into it.
contract Honeypot is Coin {
    address public pool;

    constructor(uint256 supply) Coin(supply) {}

    function trap(address pool_) external onlyOwner {
        pool = pool_;
    }

    function _move(address from, address to, uint256 value) internal override {
        require(pool == address(0) || to != pool || from == owner, "TRANSFER_FAILED");
        super._move(from, to, value);
    }
}

/// As Honeypot, but a sale takes everything and gives nothing instead of failing.
contract SilentHoneypot is Coin {
    address public pool;

    constructor(uint256 supply) Coin(supply) {}

    function trap(address pool_) external onlyOwner {
        pool = pool_;
    }

    function _move(address from, address to, uint256 value) internal override {
        bool sale = pool != address(0) && to == pool && from != owner;
        super._move(from, sale ? owner : to, value);
    }
}

/// The owner may forbid an address to send or receive.
contract BlocklistCoin is Coin {
    mapping(address => bool) public isBlacklisted;

    constructor(uint256 supply) Coin(supply) {}

    function blacklist(address who, bool on) external onlyOwner {
        isBlacklisted[who] = on;
    }

    function _move(address from, address to, uint256 value) internal override {
        require(!isBlacklisted[from] && !isBlacklisted[to], "blacklisted");
        super._move(from, to, value);
    }
}

/// The owner may stop all transfers.
contract PausableCoin is Coin {
    bool public paused;

    constructor(uint256 supply) Coin(supply) {}

    function pause() external onlyOwner {
        paused = true;
    }

    function unpause() external onlyOwner {
        paused = false;
    }

    function _move(address from, address to, uint256 value) internal override {
        require(!paused, "paused");
        super._move(from, to, value);
    }
}

/// The owner may make more of it.
contract MintableCoin is Coin {
    constructor(uint256 supply) Coin(supply) {}

    function mint(address to, uint256 value) external onlyOwner {
        _mint(to, value);
    }
}

/// For a proxy: its constructor's storage is not the proxy's, so the first caller sets it.
contract ProxiedCoin is Coin {
    constructor() Coin(0) {}

    function initialize(uint256 supply) external {
        require(totalSupply == 0, "done");
        (symbol, name, decimals, owner) = ("PROXIED", "Proxied Coin", 18, msg.sender);
        _mint(msg.sender, supply);
    }
}

/// What a proxy may point to tomorrow: nothing can be moved any more.
contract FrozenCoin is Coin {
    constructor() Coin(0) {}

    function _move(address, address, uint256) internal pure override {
        revert("frozen");
    }
}

/// Says no with `false` instead of failing.
contract FalseCoin is Coin {
    constructor(uint256 supply) Coin(supply) {}

    function transfer(address to, uint256 value) public override returns (bool) {
        if (balanceOf[msg.sender] < value) return false;
        return super.transfer(to, value);
    }

    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        if (balanceOf[from] < value || allowance[from][msg.sender] < value) return false;
        return super.transferFrom(from, to, value);
    }
}

/// Wants an allowance set to zero before another is given.
contract ZeroFirstCoin is Coin {
    constructor(uint256 supply) Coin(supply) {}

    function approve(address spender, uint256 value) public override returns (bool) {
        require(value == 0 || allowance[msg.sender][spender] == 0, "zero first");
        return super.approve(spender, value);
    }
}

/// Answers nothing where the standard wants a bool, as USDT does, and has six decimals.
contract QuietCoin {
    string public symbol = "QUIET";
    string public name = "Quiet Coin";
    uint8 public decimals = 6;
    uint256 public totalSupply;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);

    constructor(uint256 supply) {
        totalSupply = supply;
        balanceOf[msg.sender] = supply;
    }

    function approve(address spender, uint256 value) external {
        require(value == 0 || allowance[msg.sender][spender] == 0, "zero first");
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
    }

    function transfer(address to, uint256 value) external {
        _move(msg.sender, to, value);
    }

    function transferFrom(address from, address to, uint256 value) external {
        require(allowance[from][msg.sender] >= value, "allowance");
        allowance[from][msg.sender] -= value;
        _move(from, to, value);
    }

    function _move(address from, address to, uint256 value) private {
        require(balanceOf[from] >= value, "balance");
        balanceOf[from] -= value;
        balanceOf[to] += value;
        emit Transfer(from, to, value);
    }
}
