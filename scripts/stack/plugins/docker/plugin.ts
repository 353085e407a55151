import { servePlugin } from "../serve.ts";
import { DockerService } from "./service.ts";

servePlugin((engine) => new DockerService(engine));
