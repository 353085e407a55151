import { servePlugin } from "../serve.ts";
import { CommandService } from "./service.ts";

servePlugin((engine) => new CommandService(engine));
