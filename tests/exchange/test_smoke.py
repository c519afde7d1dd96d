import pytest
from tests.exchange.alliance import Exchange, Serving
from exchange.log.cosigning import Cosigning
@pytest.mark.anyio
async def test_smoke(exchange: Exchange) -> None:
    a = await exchange.admit(); b = await exchange.admit(); c = await exchange.admit()
    cos = Cosigning(exchange.parts)
    async with Serving([a, b, c]):
        await cos.round()
        await cos.settle()
        print((await exchange.http.get("/log/checkpoint")).text)
        print((await exchange.person("operator").get("/operator/status")).text)
        print((await exchange.http.get("/")).text)
        print((await exchange.http.get("/metrics")).text[:600])
        print((await a.http.get("/log/proof/3")).text)
