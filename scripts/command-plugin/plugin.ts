import { servePlugin } from "../plugin/serve.ts";
import { CommandService } from "./service.ts";

servePlugin((engine) => new CommandService(engine));
