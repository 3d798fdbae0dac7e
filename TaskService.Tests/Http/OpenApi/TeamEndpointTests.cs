using System.Net;
using System.Text.Encodings.Web;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.OpenApi;
using TaskService.Http;
using TaskService.Http.OpenApi;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http.OpenApi;

/// <summary>Endpoints that a team maps with the framework's metadata alone are in the document.</summary>
public sealed class TeamEndpointTests : IAsyncLifetime
{
    private ObservedApp app = null!;
    private string text = "";
    private JsonNode document = null!;

    public async ValueTask InitializeAsync()
    {
        app = await StartAsync();
        text = (await app.GetAsync("/openapi.json")).Body;
        document = JsonNode.Parse(text)!;
    }

    public async ValueTask DisposeAsync() => await app.DisposeAsync();

    /// <summary>A service with endpoints of a team.</summary>
    internal static Task<ObservedApp> StartAsync() =>
        ObservedApp.StartAsync(addRoutes: AddRoutes, addServices: AddServices);

    [Fact]
    public void Readers_find_no_error_and_no_warning()
    {
        var read = Microsoft.OpenApi.OpenApiDocument.Parse(text, "json");
        Assert.Empty(read.Diagnostic!.Errors);
        Assert.Empty(read.Diagnostic.Warnings);
        Assert.Empty(read.Document!.Validate(ValidationRuleSet.GetDefaultRuleSet()));
    }

    [Fact]
    public void Parameters_come_from_the_route_and_the_handler()
    {
        var parameters = Operation("get", "/projects/{projectId}/orders/{id}")["parameters"]!.AsArray();
        Assert.Equal(
            [
                """{"name":"projectId","in":"path","required":true,"schema":{"type":"string","minLength":3}}""",
                """{"name":"id","in":"path","required":true,"schema":{"type":"integer","format":"int32"}}""",
                """{"name":"state","in":"query","required":false,"schema":{"type":"string","enum":["Open","Paid"]}}""",
                """{"name":"page","in":"query","required":true,"schema":{"type":"integer"}}""",
                """{"name":"X-Tenant","in":"header","required":true,"schema":{"type":"string"}}""",
            ],
            parameters.Where(one => one!["name"] is not null).Select(one => one!.ToJsonString()));
    }

    [Fact]
    public void Words_come_from_the_metadata()
    {
        var operation = Operation("get", "/projects/{projectId}/orders/{id}");
        Assert.Equal("getOrder", (string?)operation["operationId"]);
        Assert.Equal("Read an order", (string?)operation["summary"]);
        Assert.Equal("With its lines.", (string?)operation["description"]);
        Assert.Equal("""["orders"]""", operation["tags"]!.ToJsonString());
        Assert.Null(document["paths"]!["/hidden"]);
    }

    [Fact]
    public void An_endpoint_without_a_word_is_there_too()
    {
        var operation = Operation("get", "/calls");
        Assert.Equal("getCalls", (string?)operation["operationId"]);
        Assert.Equal("GET /calls", (string?)operation["summary"]);
        Assert.Equal("""["calls"]""", operation["tags"]!.ToJsonString());
        Assert.Equal(["200", "500", "503", "4XX"], Statuses(operation));
        Assert.Distinct(document["paths"]!.AsObject()
            .SelectMany(path => path.Value!.AsObject(), (_, one) => (string?)one.Value!["operationId"]));
    }

    [Fact]
    public void Schemas_are_those_of_the_types()
    {
        var body = Operation("post", "/projects/{projectId}/orders")["requestBody"]!;
        Assert.Equal("""{"$ref":"#/components/schemas/Order"}""", Schema(body));
        Assert.Equal(
            """{"type":"array","items":{"$ref":"#/components/schemas/Line"}}""",
            SchemaOf("Order")["lines"]!.ToJsonString());
        Assert.Equal(
            """{"anyOf":[{"$ref":"#/components/schemas/Order"},{"type":"null"}]}""",
            SchemaOf("Order")["replaces"]!.ToJsonString());
        Assert.Equal("""{"type":"integer"}""", SchemaOf("Line")["count"]!.ToJsonString());
        Assert.Equal("""{"type":["string","null"]}""", SchemaOf("Line")["note"]!.ToJsonString());
        var list = Operation("get", "/projects/{projectId}/orders")["responses"]!["200"]!;
        Assert.Equal("""{"$ref":"#/components/schemas/PageOfOrder"}""", Schema(list));
    }

    [Fact]
    public void A_class_that_refers_to_itself_has_a_schema() => Assert.Equal(
        """{"type":"array","items":{"$ref":"#/components/schemas/Tree"}}""",
        SchemaOf("Tree")["children"]!.ToJsonString());

    [Fact]
    public void A_path_has_one_template_and_the_methods_that_OpenAPI_knows()
    {
        Assert.Equal(["put", "delete"], document["paths"]!["/by/{number}"]!.AsObject().Select(pair => pair.Key));
        Assert.Contains(
            """{"name":"number","in":"path","required":true,"schema":{"type":"string"}}""",
            Operation("delete", "/by/{number}")["parameters"]!.ToJsonString(), StringComparison.Ordinal);
        Assert.Equal(["head"], document["paths"]!["/tools"]!.AsObject().Select(pair => pair.Key));
        Assert.Null(document["paths"]!["/any"]);
        Assert.NotNull(Operation("get", "/events")["responses"]!["202"]!["content"]!["text/event-stream"]);
    }

    [Fact]
    public void Responses_are_those_of_the_endpoint_and_of_the_pipeline()
    {
        var operation = Operation("post", "/projects/{projectId}/orders");
        Assert.Equal(
            ["201", "400", "401", "403", "408", "409", "413", "415", "500", "503", "4XX"], Statuses(operation));
        Assert.Equal("""{"$ref":"#/components/schemas/Order"}""", Schema(operation["responses"]!["201"]!));
        // A status without a body gets a problem from the pipeline.
        Assert.Equal(
            """{"$ref":"#/components/schemas/Problem"}""",
            Schema(operation["responses"]!["409"]!, "application/problem+json"));
        Assert.Equal(
            """{"anyOf":[{"$ref":"#/components/schemas/ProblemDetails"},{"$ref":"#/components/schemas/Problem"}]}""",
            Schema(operation["responses"]!["400"]!, "application/problem+json"));
    }

    [Fact]
    public void Forms_are_described_by_their_fields() => Assert.Equal(
        """{"type":"object","properties":{"file":{"type":"string","contentMediaType":"application/octet-stream"}},"""
        + "\"required\":[\"file\"]}",
        Schema(Operation("post", "/files")["requestBody"]!, "multipart/form-data"));

    [Fact]
    public void Security_is_that_of_the_policies()
    {
        Assert.Equal("""[{"Bearer":[]}]""", Security("post", "/projects/{projectId}/orders"));
        Assert.Equal("""[{"Partner":[]},{"Session":[]}]""", Security("delete", "/projects/{projectId}/orders/{id}"));
        Assert.Equal("""[{"Basic":[]}]""", Security("put", "/projects/{projectId}/orders/{id}"));
        Assert.Null(Operation("get", "/projects/{projectId}/orders")["security"]);
        var schemes = document["components"]!["securitySchemes"]!;
        Assert.Equal("""{"type":"http","scheme":"bearer"}""", schemes["Bearer"]!.ToJsonString());
        Assert.Equal("""{"type":"http","scheme":"basic"}""", schemes["Basic"]!.ToJsonString());
        Assert.Equal("""{"type":"apiKey","in":"query","name":"key"}""", schemes["Partner"]!.ToJsonString());
        Assert.Equal(
            """{"type":"apiKey","in":"cookie","name":"session"}""", schemes["Session"]!.ToJsonString());
    }

    [Fact]
    public void The_example_of_a_request_is_without_the_members_that_only_the_service_sets()
    {
        Assert.Equal(
            """{"name":"Wheel"}""",
            Operation("post", "/parts")["requestBody"]!["content"]!["application/json"]!["example"]!.ToJsonString());
        Assert.Contains(
            "{\"name\":\"Wheel\",\"made\":1}",
            Operation("get", "/parts")["responses"]!["200"]!.ToJsonString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("the schema", "schemas")]
    [InlineData("the parameter", "parameters")]
    [InlineData("the header", "headers")]
    [InlineData("the example of", "examples")]
    [InlineData("the tag", "tags")]
    public async Task Two_parts_of_one_name_that_differ_are_an_error_that_names_them(string kind, string part)
    {
        await using (var same = await StartAsync("one"))
        {
            Assert.Equal(HttpStatusCode.OK, (await same.GetAsync("/openapi.json")).Status);
        }
        await using var differing = await StartAsync("two");
        Assert.Equal(HttpStatusCode.InternalServerError, (await differing.GetAsync("/openapi.json")).Status);
        var error = $"openapi: two groups of endpoints describe {kind} Shared differently";
        await Until.TrueAsync(
            () => differing.Logs.Read("brief").Any(line => line.Contains(error, StringComparison.Ordinal)), error);

        Task<ObservedApp> StartAsync(string other) => ObservedApp.StartAsync(addRoutes: routes =>
        {
            routes.MapOpenApi("Test");
            routes.MapGet("/one", () => "").DescribeComponents(() => Parts(part, "one"));
            routes.MapGet("/two", () => "").DescribeComponents(() => Parts(part, other));
        });
    }

    [Fact]
    public async Task Its_promises_are_kept()
    {
        using var client = new HttpClient { BaseAddress = app.Address };
        using var refused = await client.PostAsync(
            new Uri("/projects/abc/orders", UriKind.Relative), RunningService.Json("{}"));
        Assert.Equal(401, (int)refused.StatusCode);
        Assert.Equal("application/problem+json", refused.Content.Headers.ContentType?.MediaType);
        using var unbound = await client.GetAsync(new Uri("/projects/abc/orders/1?page=x", UriKind.Relative));
        Assert.Equal(400, (int)unbound.StatusCode);
        Assert.NotNull(Operation("get", "/projects/{projectId}/orders/{id}")["responses"]!["400"]);
    }

    private static void AddRoutes(WebApplication app)
    {
        app.MapOpenApi("Test");
        var orders = app.MapGroup("/projects/{projectId:minlength(3)}/orders").WithTags("orders");
        orders.MapGet("", (string projectId) => new Page<Order>([], projectId));
        orders.MapPost("", (string projectId, Order order) => TypedResults.Created($"/{projectId}", order))
            .ProducesValidationProblem().Produces(StatusCodes.Status409Conflict).RequireAuthorization();
        var one = orders.MapGroup("/{id:int}");
        one.MapGet("", (string projectId, int id, OrderState? state, int page,
            [FromHeader(Name = "X-Tenant")] string tenant) => new Order(id, [], null))
            .WithName("getOrder").WithSummary("Read an order").WithDescription("With its lines.");
        one.MapPut("", (string projectId, int id, Order order) => TypedResults.NoContent())
            .RequireAuthorization(policy => policy.AddAuthenticationSchemes("Basic").RequireAuthenticatedUser());
        one.MapDelete("", (string projectId, int id) => TypedResults.NoContent()).RequireAuthorization("partners");
        app.MapPost("/files", (IFormFile file) => TypedResults.Ok(file.Length)).DisableAntiforgery();
        app.MapGet("/files/{*path}", (string path, HttpContext http) => http.Response.WriteAsync(path));
        app.MapGet("/trees", () => new Tree("root", [], new() { ["a"] = 1 }));
        app.MapGet("/events", (HttpContext http) => http.Response.WriteAsync(""))
            .WithMetadata(new ProducesResponseTypeMetadata(202, typeof(string), ["text/event-stream"]));
        app.MapPut("/by/{number:int}", (int number) => number);
        app.MapDelete("/by/{name}", (string name) => name);
        app.MapMethods("/tools", ["BREW", "HEAD"], () => "");
        app.Map("/any", () => "");
        app.MapGet("/hidden", () => "").ExcludeFromDescription();
        var part = new ResourceDescription("Part") { RequiredMember = "name" };
        var parts = app.MapGroup("/parts").WithTags("parts").DescribeComponents(() => part.Components(
            JsonNode.Parse("""
                {
                  "type": "object",
                  "properties": { "name": { "type": "string" }, "made": { "type": "number", "readOnly": true } },
                  "required": ["name"]
                }
                """)!.AsObject(),
            """{"name":"Wheel","made":1}""",
            """{"name":"Tyre"}"""));
        parts.MapGet("", () => "{}").Describe(part.List);
        parts.MapPost("", () => TypedResults.Created("/parts/1")).Describe(part.Create);
    }

    private static DescribedComponents Parts(string part, string text)
    {
        var json = new JsonObject { ["Shared"] = new JsonObject { ["description"] = text } };
        var texts = new Dictionary<string, string> { ["Shared"] = $"\"{text}\"" };
        return part switch
        {
            "schemas" => new DescribedComponents { Schemas = json },
            "parameters" => new DescribedComponents { Parameters = json },
            "headers" => new DescribedComponents { Headers = json },
            "examples" => new DescribedComponents { Examples = texts },
            _ => new DescribedComponents { Tags = texts },
        };
    }

    private static void AddServices(IServiceCollection services)
    {
        services.AddEndpointsApiExplorer();
        services.AddAuthentication("Bearer")
            .AddScheme<AuthenticationSchemeOptions, NoOne>("Bearer", null)
            .AddScheme<AuthenticationSchemeOptions, NoOne>("Basic", null)
            .AddScheme<AuthenticationSchemeOptions, NoOne>("Partner", null)
            .AddCookie("Session", cookie => cookie.Cookie.Name = "session");
        services.AddAuthorizationBuilder().AddPolicy(
            "partners", policy => policy.AddAuthenticationSchemes("Partner", "Session").RequireAuthenticatedUser());
        services.AddSingleton(new DescribedSecurity(
            "Partner", new JsonObject { ["type"] = "apiKey", ["in"] = "query", ["name"] = "key" }));
    }

    private static string Schema(JsonNode message, string mediaType = "application/json") =>
        message["content"]![mediaType]!["schema"]!.ToJsonString();

    private static IEnumerable<string> Statuses(JsonNode operation) =>
        operation["responses"]!.AsObject().Select(pair => pair.Key);

    private JsonNode Operation(string method, string path) => document["paths"]![path]![method]!;

    private string Security(string method, string path) => Operation(method, path)["security"]!.ToJsonString();

    private JsonNode SchemaOf(string name) => document["components"]!["schemas"]![name]!["properties"]!;

    private enum OrderState
    {
        Open,
        Paid,
    }

    private sealed record Order(int Id, IReadOnlyList<Line> Lines, Order? Replaces);

    private sealed record Line(string Item, int Count, string? Note);

    private sealed record Tree(string Name, List<Tree> Children, Dictionary<string, object> More);

    private sealed record Page<T>(IReadOnlyList<T> Items, string Next);

    private sealed class NoOne(
        IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logs, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logs, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync() =>
            Task.FromResult(AuthenticateResult.NoResult());
    }
}
