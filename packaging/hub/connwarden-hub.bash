# Completion of connwarden-hub for bash.
_connwarden_hub() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words=
	COMPREPLY=()
	case $before in
	--state)
		compopt -o dirnames
		return
		;;
	--may) words='block pardon allow block,pardon,allow' ;;
	--listen | --name | --node | --cluster | --peers | --hubs | --group | --for) return ;;
	*)
		case ${COMP_WORDS[1]} in
		run) words='--listen --name --node --cluster --peers --hubs --state' ;;
		token) words='--group --may --operator --for --state' ;;
		hosts | nodes) words='--json --state' ;;
		revoke) words='--state' ;;
		esac
		[ "$COMP_CWORD" != 1 ] || words='run token hosts revoke nodes version help'
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _connwarden_hub connwarden-hub
