import { servePlugin } from "../plugin/serve.ts";
import { DockerService } from "./service.ts";

servePlugin((engine) => new DockerService(engine));
