from pantry.cli import main

raise SystemExit(main())
