"""What speaks against buying a token, before it is bought for the first time.

Read (`inspection`, `trip`, `code`, `holders`) and judged (`judge`, pure) apart from one another. There are only
findings: nothing here ever says that a token is safe, and what could not be found out is a finding too.
"""
