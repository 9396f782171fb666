from fastapi import FastAPI, Request

app = FastAPI()


@app.get("/{rest:path}")
def echo(rest: str, request: Request):
    return {"client": request.client.host, "url": str(request.url)}
