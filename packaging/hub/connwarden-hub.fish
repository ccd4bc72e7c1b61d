# Completion of connwarden-hub for fish.
complete -c connwarden-hub -f
complete -c connwarden-hub -n __fish_use_subcommand -a run -d 'serve hosts'
complete -c connwarden-hub -n __fish_use_subcommand -a token -d 'print a token with which one host joins, once'
complete -c connwarden-hub -n __fish_use_subcommand -a hosts -d 'who joined, and who is gone and why'
complete -c connwarden-hub -n __fish_use_subcommand -a revoke -d 'shut a host out'
complete -c connwarden-hub -n __fish_use_subcommand -a nodes -d 'which node leads, and whether the others are there'
complete -c connwarden-hub -n __fish_use_subcommand -a version
complete -c connwarden-hub -n __fish_use_subcommand -a help
complete -c connwarden-hub -l state -x -a '(__fish_complete_directories)' -d 'where everything is kept'
complete -c connwarden-hub -n '__fish_seen_subcommand_from run' -l listen -x -d 'serve hosts at this address'
complete -c connwarden-hub -n '__fish_seen_subcommand_from run' -l name -x -d 'names under which hosts reach it'
complete -c connwarden-hub -n '__fish_seen_subcommand_from run' -l node -x -d 'name of this node of three'
complete -c connwarden-hub -n '__fish_seen_subcommand_from run' -l cluster -x -d 'its address for the others'
complete -c connwarden-hub -n '__fish_seen_subcommand_from run' -l peers -x -d 'addresses of the others'
complete -c connwarden-hub -n '__fish_seen_subcommand_from run' -l hubs -x -d 'addresses of all nodes for hosts'
complete -c connwarden-hub -n '__fish_seen_subcommand_from token' -l group -x -d 'group of the host'
complete -c connwarden-hub -n '__fish_seen_subcommand_from token' -l may -x -a 'block pardon allow block,pardon,allow' -d 'what it may decide for others'
complete -c connwarden-hub -n '__fish_seen_subcommand_from token' -l operator -d 'it may ask others for reviews, and revoke them'
complete -c connwarden-hub -n '__fish_seen_subcommand_from token' -l for -x -d 'how long the token lasts'
complete -c connwarden-hub -n '__fish_seen_subcommand_from hosts nodes' -l json -d 'print one JSON object'
