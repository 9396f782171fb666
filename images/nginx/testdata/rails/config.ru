require 'action_controller/railtie'

class Shop < Rails::Application
  config.root = __dir__
  config.eager_load = true
  config.secret_key_base = 'for a test alone'
  config.hosts << 'www.example.com'
end

class EchoController < ActionController::Base
  def show
    render json: { client: request.remote_ip, url: request.url }
  end

  def moved
    redirect_to '/echo'
  end
end

Shop.initialize!
Shop.routes.draw do
  get '/moved', to: 'echo#moved'
  get '*rest', to: 'echo#show'
  root to: 'echo#show'
end
run Shop
