// Only for `pulumi destroy` of a stack that a release before 0.2 made: its state names this path.
import "./command.ts";
