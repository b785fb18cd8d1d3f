"""What every venue that is reached over a network needs: a rate budget and a breaker per endpoint, and how an endpoint
is named without its keys. State machines over `Clock`; they wait for nothing and call nobody."""
