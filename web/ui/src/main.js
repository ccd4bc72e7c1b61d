import { mount } from 'svelte'
import '../../paper/look.css'
import './page.css'
import App from './App.svelte'

mount(App, { target: document.getElementById('page') })
